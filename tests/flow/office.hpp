// An office whose phones take each other's calls (RFC 3891, T-10).
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "flow/flow.hpp"

namespace tandem::sim::test {

/// Phones 1001 and 1002 of account "desk" and group "sales", 1003 of that account alone, 1004 of
/// account "other" and that group, 1005 of "other" alone.
inline SwitchConfig phones_config(int workers = 1) {
  SwitchConfig config = base_config();
  config.sip_workers = workers;
  config.parameters.pickup_code = "*8";
  config.provision.rate_decks.push_back(deck("phones", "6.00"));
  for (const char* id : {"desk", "other"})
    config.provision.accounts.push_back(account(id, "50.00", "phones"));
  const auto add = [&](const std::string& number, const std::string& of, const std::string& group) {
    PhoneConfig phone;
    phone.id = phone.number = number;
    phone.dids = {"44300" + number};
    phone.password = "secret";
    phone.account = of;
    phone.pickup_group = group;
    config.provision.phones.push_back(phone);
  };
  add("1001", "desk", "sales");
  add("1002", "desk", "sales");
  add("1003", "desk", "");
  add("1004", "other", "sales");
  add("1005", "other", "");
  return config;
}

struct PhoneOffice : Bench {
  std::vector<Endpoint*> phones;  // 1001 first

  explicit PhoneOffice(SwitchConfig settings = phones_config(), const WorldOptions& options = {})
      : Bench(std::move(settings), options) {
    for (int i = 1; i <= 5; ++i) {
      const std::string number = "100" + std::to_string(i);
      Endpoint& device = *phones.emplace_back(endpoint("10.0.3." + std::to_string(i) + ":5060"));
      device.register_user(number, "secret");
      REQUIRE(
          world.run_until([&] { return device.registration_status(number) != 0; }, 40 * second_us));
      REQUIRE(device.registration_status(number) == 200);
    }
  }
  [[nodiscard]] Endpoint& phone(int number) {
    return *phones.at(static_cast<std::size_t>(number) - 1001);
  }
  std::shared_ptr<EndpointCall> dial_from(int number, const std::string& callee,
                                          DialPlan plan = {}) {
    plan.username = std::to_string(number);
    plan.password = "secret";
    return phone(number).dial(callee, std::to_string(number), plan);
  }
  /// INVITE with Replaces.
  std::shared_ptr<EndpointCall> take(int number, const std::string& place, DialPlan plan = {}) {
    plan.replaces = place;
    return dial_from(number, "1001", plan);
  }
  void answered(const std::shared_ptr<EndpointCall>& call) {
    REQUIRE(world.run_until([&] { return call->was_answered(); }, 60 * second_us));
  }
  /// Every movement of money is in a record.
  void check_money() {
    std::int64_t acme = 0, rest = 0;
    for (const Cdr& cdr : world.cdrs())
      (cdr.customer.account == "acme" ? acme : rest) += cdr.customer.charge.units();
    CHECK(balance("acme").units() + acme == money("100.00").units());
    CHECK(balance("desk").units() + balance("other").units() + rest == money("100.00").units());
  }
  [[nodiscard]] std::size_t answered_records() const {
    const auto& all = world.cdrs();
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [](const Cdr& cdr) { return cdr.answered_at_us != 0; }));
  }
};

/// Rings at once and until told otherwise.
inline AnswerPlan rings() {
  AnswerPlan plan;
  plan.ring_after_us = 0;
  plan.answer_after_us = -1;
  return plan;
}

}  // namespace tandem::sim::test
