#include "tandem/accounts.hpp"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

using namespace tandem;

namespace {

Amount money(std::string_view text) { return Amount::parse(text).value(); }

AccountSettings settings_of(std::string id, const char* overdraft_limit = "0") {
  AccountSettings settings;
  settings.id = std::move(id);
  settings.overdraft_limit = money(overdraft_limit);
  settings.currency = "USD";
  return settings;
}

const char* reason_of(const CallAdmission& admission) {
  return admission.ok() ? "ok" : reason_facts(admission.reason).name;
}

}  // namespace

TEST_CASE("AccountBook: B-02 refuses locked, expired, empty and too poor accounts") {
  AccountBook book;
  AccountSettings settings = settings_of("acme", "0.50");
  const AccountHandle acme = book.provision(settings, money("1.00")).value();
  CHECK(reason_of(book.open_call(acme, money("1.50"), 0)) == std::string("ok"));
  CHECK(reason_of(book.open_call(acme, money("1.51"), 0)) ==
        std::string("AccountBalanceNotEnough"));
  CHECK(reason_of(book.open_call({}, money("0"), 0)) == std::string("AccountNotExist"));

  settings.valid_until_us = 100;
  REQUIRE(book.provision(settings, money("99"))
              .ok());  // the balance of an account that exists is left alone
  CHECK(book.balance(acme) == money("1.00"));
  CHECK(reason_of(book.open_call(acme, money("0.01"), 99)) == std::string("ok"));
  CHECK(reason_of(book.open_call(acme, money("0.01"), 100)) == std::string("AccountExpired"));
  settings.locked = true;
  REQUIRE(book.provision(settings).ok());
  CHECK(reason_of(book.open_call(acme, money("0.01"), 99)) == std::string("AccountLocked"));
  CHECK(book.check(acme, 0) == Reason::AccountLocked);

  const AccountHandle empty = book.provision(settings_of("empty"), {}).value();
  CHECK(reason_of(book.open_call(empty, {}, 0)) == std::string("AccountBalanceNotEnough"));
  CHECK(book.check(empty, 0) == Reason::none);
  CHECK(book.state("acme")->refused_calls == 3);
  CHECK(book.state("acme")->open_holds == 0);
}

TEST_CASE("MoneyHold: what is held is not usable until it is settled or given back, once") {
  AccountBook book;
  const AccountHandle acme = book.provision(settings_of("acme"), money("1.00")).value();
  {
    MoneyHold hold = book.open_call(acme, money("0.20"), 0).hold;
    CHECK(book.usable(acme) == money("0.80"));
    CHECK(hold.renew(money("0.60")));
    CHECK(hold.renew(money("0.10")));  // never less
    CHECK(hold.held() == money("0.60"));
    CHECK(!hold.renew(money("1.01")));
    CHECK(book.usable(acme) == money("0.40"));
    CHECK(book.state(acme)->held == money("0.60"));
    CHECK(hold.settle(money("0.25")) == money("0.25"));
    CHECK(hold.settle(money("0.25")) == Amount{});
    CHECK(!hold.renew(money("0.01")));
    CHECK(book.balance(acme) == money("0.75"));
    CHECK(book.usable(acme) == money("0.75"));
  }
  { const MoneyHold dropped = book.open_call(acme, money("0.50"), 0).hold; }
  CHECK(book.usable(acme) == money("0.75"));
  MoneyHold first = book.open_call(acme, money("0.50"), 0).hold;
  MoneyHold second = std::move(first);
  first.cancel();
  CHECK(book.usable(acme) == money("0.25"));
  second = book.open_call(acme, money("0.25"), 0).hold;  // gives the 0.50 back
  CHECK(book.usable(acme) == money("0.50"));
  second.cancel();
  CHECK(book.usable(acme) == money("0.75"));
  CHECK(book.state("acme")->open_holds == 0);
}

TEST_CASE("MoneyHold: a charge above the hold is taken only when the account has the difference") {
  AccountBook book;
  const AccountHandle acme = book.provision(settings_of("acme"), money("1.00")).value();
  MoneyHold hold = book.open_call(acme, money("0.40"), 0).hold;
  CHECK(hold.settle(money("0.50")) == money("0.50"));
  hold = book.open_call(acme, money("0.40"), 0).hold;
  CHECK(hold.settle(money("0.51")) == money("0.40"));
  CHECK(book.balance(acme) == money("0.10"));
}

TEST_CASE("AccountBook: a changed limit and a payment count at once for running calls") {
  AccountBook book;
  const AccountHandle acme = book.provision(settings_of("acme", "0.10"), money("0.10")).value();
  MoneyHold hold = book.open_call(acme, money("0.20"), 0).hold;
  CHECK(!hold.renew(money("0.30")));
  CHECK(book.pay(acme, money("0.10")).value() == money("0.20"));
  CHECK(hold.renew(money("0.30")));
  REQUIRE(book.provision(settings_of("acme", "0")).ok());
  CHECK(book.usable(acme) == money("-0.10"));
  CHECK(!hold.renew(money("0.31")));
  CHECK(hold.settle(money("0.30")) == money("0.30"));  // it was promised to this call
  CHECK(book.balance(acme) == money("-0.10"));
}

TEST_CASE("AccountBook: a vendor's clearing account goes below zero") {
  AccountBook book;
  AccountSettings settings = settings_of("v1");
  settings.kind = AccountKind::clearing;
  const AccountHandle vendor = book.provision(settings).value();
  CHECK(book.charge_unchecked(vendor, money("2.50")).value() == money("-2.50"));
  CHECK(book.charge_unchecked(vendor, money("-1")).error().code == ErrorCode::invalid_argument);
  CHECK(book.pay(vendor, account_amount_max).value().units() ==
        account_amount_max.units() - 250'000'000);
  CHECK(book.pay(vendor, money("3")).error().code == ErrorCode::limit);
  CHECK(book.pay(vendor, {}).error().code == ErrorCode::invalid_argument);
  CHECK(book.pay({}, money("1")).error().code == ErrorCode::not_found);
}

TEST_CASE("AccountBook: restore sets the posted balance under running holds") {
  AccountBook book;
  const AccountHandle acme = book.provision(settings_of("acme"), money("1.00")).value();
  MoneyHold hold = book.open_call(acme, money("0.40"), 0).hold;
  REQUIRE(book.restore("acme", money("5.00")).ok());
  CHECK(book.usable(acme) == money("4.60"));
  CHECK(book.restore("other", {}).error().code == ErrorCode::not_found);
  CHECK(book.restore("acme", Amount::from_units(account_amount_max.units() + 1)).error().code ==
        ErrorCode::invalid_argument);
  hold.cancel();
  CHECK(book.usable(acme) == money("5.00"));
}

TEST_CASE("AccountBook: settings out of range and another currency are errors") {
  AccountBook book;
  CHECK(!book.provision(settings_of("")));
  CHECK(!book.provision(settings_of(std::string(65, 'a'))));
  CHECK(!book.provision(settings_of("a", "-1")));
  CHECK(!book.provision(settings_of("a"), Amount::from_units(account_amount_max.units() + 1)));
  REQUIRE(book.provision(settings_of("a")).ok());
  AccountSettings euro = settings_of("a");
  euro.currency = "EUR";
  CHECK(book.provision(euro).error().message ==
        "currency of account \"a\" was \"USD\" and cannot become \"EUR\"");
  CHECK(book.size() == 1);
  REQUIRE(book.provision(settings_of("0")).ok());
  const std::vector<AccountState> all = book.snapshot();
  REQUIRE(all.size() == 2);
  CHECK(all[0].settings.id == "0");
  CHECK(book.find("b") == AccountHandle{});
  CHECK(account_kind_from_name("clearing").value() == AccountKind::clearing);
  CHECK(account_kind_from_name("agent").value() == AccountKind::agent);
  CHECK(account_kind_from_name("card").value() == AccountKind::card);
  CHECK(!account_kind_from_name("x"));
}

TEST_CASE("AccountBook: a withdrawal takes what is usable, and nothing that calls hold (B-03)") {
  AccountBook book;
  const AccountHandle account = book.provision(settings_of("a", "0.50"), money("1.00")).value();
  CallAdmission call = book.open_call(account, money("0.40"), 0);
  REQUIRE(call.ok());
  CHECK(book.withdraw(account, money("1.11")).error().code == ErrorCode::wrong_state);
  CHECK(book.withdraw(account, money("1.10")).value() == money("-0.10"));
  CHECK(book.usable(account).is_zero());
  CHECK(book.state(account)->held == money("0.40"));
  CHECK(call.hold.settle(money("0.40")) == money("0.40"));
  CHECK(book.balance(account) == money("-0.50"));
  CHECK(book.withdraw(account, {}).error().code == ErrorCode::invalid_argument);
  CHECK(book.withdraw({}, money("1")).error().code == ErrorCode::not_found);
}

TEST_CASE(
    "AccountBook: no account ends lower than its largest overdraft said at any moment (B-11)") {
  SeededRandom random(11);
  const auto up_to = [&](std::uint64_t bound) {
    return Amount::from_units(static_cast<std::int64_t>(random.below(bound)));
  };
  int above_zero = 0;
  for (int round = 0; round < 400; ++round) {
    AccountBook book;
    AccountSettings settings = settings_of("a", "5.00");
    const AccountHandle account = book.provision(settings, money("10.00")).value();
    std::vector<MoneyHold> calls;
    for (int i = 0; i < 60; ++i) {
      switch (random.below(6)) {
        case 0:
        case 1:
          if (CallAdmission call = book.open_call(account, up_to(300'000'000), 0); call.ok())
            calls.push_back(std::move(call.hold));
          break;
        case 2:
          if (!calls.empty()) {
            MoneyHold& hold = calls[random.below(calls.size())];
            (void)hold.renew(Amount::from_units(hold.held().units() + up_to(200'000'000).units()));
          }
          break;
        case 3:
          if (!calls.empty()) {
            (void)calls.back().settle(up_to(500'000'000));
            calls.pop_back();
          }
          break;
        case 4:  // what an operator takes, whatever calls hold
          if (random.below(8) == 0) (void)book.pay(account, Amount::from_units(-400'000'000));
          break;
        default:
          if (random.below(8) == 0) {
            settings.overdraft_limit = up_to(500'000'000);
            REQUIRE(book.provision(settings).ok());
          }
      }
    }
    // From here on calls only go on and end.
    const Amount bound = largest_overdraft(book.state(account).value()).value();
    above_zero += bound.is_zero() ? 0 : 1;
    while (!calls.empty()) {
      MoneyHold& hold = calls.back();
      (void)hold.renew(Amount::from_units(hold.held().units() + up_to(900'000'000).units()));
      (void)hold.settle(up_to(1'500'000'000));
      calls.pop_back();
      REQUIRE(book.balance(account).units() + settings.overdraft_limit.units() >= -bound.units());
    }
  }
  CHECK(above_zero > 20);
}

TEST_CASE("AccountBook: a balance that is not verified bounds no call (B-28)") {
  AccountBook book;
  AccountSettings settings = settings_of("a");
  settings.is_balance_verified = false;
  const AccountHandle account = book.provision(settings, money("-3")).value();
  CHECK(std::string(reason_of(book.open_call(account, money("1000000"), 0))) == "ok");
  CHECK_FALSE(largest_overdraft(book.state(account).value()));
  settings.is_balance_verified = true;
  REQUIRE(book.provision(settings).ok());
  CHECK(std::string(reason_of(book.open_call(account, {}, 0))) == "AccountBalanceNotEnough");
}

TEST_CASE(
    "AccountBook: calls on many threads never pass what is usable, and nothing is "
    "lost") {
  constexpr int threads = 4;
  constexpr int rounds = 250'000;
  AccountBook book;
  std::vector<AccountHandle> accounts;
  for (int i = 0; i < 3; ++i)
    accounts.push_back(
        book.provision(settings_of(std::to_string(i), "50.00"), money("100.00")).value());

  struct Tally {
    std::int64_t settled_units[3] = {};
    std::int64_t paid_units[3] = {};
    std::int64_t below_zero = 0;
    std::int64_t refused = 0;
  };
  std::vector<Tally> tallies(threads);
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      SeededRandom random(static_cast<std::uint64_t>(t) + 1);
      Tally& tally = tallies[static_cast<std::size_t>(t)];
      const auto up_to = [&](std::uint64_t bound) {
        return Amount::from_units(static_cast<std::int64_t>(random.below(bound)));
      };
      std::vector<MoneyHold> held[3];  // calls that go on for a while
      for (int i = 0; i < rounds; ++i) {
        const std::size_t which = random.below(3);
        std::vector<MoneyHold>& calls = held[which];
        switch (random.below(4)) {
          case 0:
            if (calls.size() >= 20) break;
            if (CallAdmission call = book.open_call(accounts[which], up_to(500'000'000), 0);
                call.ok())
              calls.push_back(std::move(call.hold));
            else
              ++tally.refused;
            break;
          case 1:
            if (!calls.empty()) {
              MoneyHold& hold = calls[random.below(calls.size())];
              (void)hold.renew(Amount::from_units(hold.held().units() +
                                                  up_to(100'000'000).units()));  // may be refused
            }
            break;
          case 2:
            if (!calls.empty()) {
              const Amount wanted = up_to(600'000'000);
              tally.settled_units[which] += calls.back().settle(wanted).units();
              calls.pop_back();
            }
            break;
          case 3:
            if (random.below(400) == 0) {
              const Amount payment = money("10.00");
              REQUIRE(book.pay(accounts[which], payment).ok());
              tally.paid_units[which] += payment.units();
            }
            break;
        }
        tally.below_zero += book.usable(accounts[which]).is_negative();
      }
    });
  }
  for (std::thread& worker : workers)
    worker.join();

  std::int64_t refused = 0;
  for (const Tally& tally : tallies) {
    CHECK(tally.below_zero == 0);
    refused += tally.refused;
  }
  CHECK(refused > 0);
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    std::int64_t expected_units = money("100.00").units();
    for (const Tally& tally : tallies)
      expected_units += tally.paid_units[i] - tally.settled_units[i];
    const AccountState state = book.state(accounts[i]).value();
    CHECK(state.balance.units() == expected_units);
    CHECK(state.balance >= money("-50.00"));
    CHECK(state.held == Amount{});
    CHECK(state.open_holds == 0);
    CHECK(book.usable(accounts[i]).units() == expected_units + money("50.00").units());
  }
}
