// What calls take and give back, when many of them do so at once and tables are replaced meanwhile.
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "call/choice.hpp"
#include "call/stages.hpp"
#include "support/sanitizers.hpp"

using namespace tandem;
using namespace tandem::call;

namespace {

constexpr int calls_of_a_thread = checked_build::has_thread_sanitizer ? 25'000 : 250'000;
constexpr std::size_t threads_count = 4;
constexpr std::size_t held_max =
    20;  // calls that a thread has at once; alone it meets every limit, too
constexpr std::int64_t call_gap_us = 20;
constexpr int group_lines = 20;
constexpr std::array<int, 3> customer_lines = {6, -1, 2};
constexpr std::array<int, 2> vendor_lines = {5, -1};
constexpr std::size_t pool_numbers = 4;
constexpr route::CallRate customer_rate = {8'000, 10};  // of the third customer
constexpr route::CallRate vendor_rate = {15'000, 50};   // of the second vendor

Amount money(std::string_view text) { return Amount::parse(text).value(); }

GatewayAddress address(const std::string& ip) {
  return {ip, IpNetwork::parse(ip).value(), std::nullopt};
}

/// Every kind of thing that a call can take is scarce: lines of three customers and two vendors, of
/// a group with reserved ones, numbers of a pool, tokens of both sides, money.
SwitchConfig scarce() {
  SwitchConfig config;
  Provision& p = config.provision;
  Rate rate;
  rate.price = money("0.60");
  RateDeckConfig deck;
  deck.id = "retail";
  deck.rates = {rate};
  p.rate_decks = {deck};
  AccountConfig account;
  account.id = "acme";
  account.balance = money("0.50");
  account.rate_deck = "retail";
  p.accounts = {account};
  NumberGroup numbers;
  numbers.id = "pool";
  for (std::size_t i = 0; i < pool_numbers; ++i)
    numbers.numbers.push_back(std::to_string(100 + i));
  p.number_groups = {numbers};
  for (std::size_t i = 0; i < customer_lines.size(); ++i) {
    CustomerGateway customer;
    customer.id = "c" + std::to_string(i);
    customer.addresses = {address("10.0.0." + std::to_string(i + 1))};
    customer.account = "acme";
    customer.line_limit = customer_lines[i];
    p.customer_gateways.push_back(customer);
  }
  p.customer_gateways[2].calls_per_second = customer_rate.calls_per_second;
  p.customer_gateways[2].burst = customer_rate.burst;
  for (std::size_t i = 0; i < vendor_lines.size(); ++i) {
    VendorGateway vendor;
    vendor.id = "v" + std::to_string(i);
    vendor.addresses = {address("10.0.1." + std::to_string(i + 1))};
    vendor.line_limit = vendor_lines[i];
    vendor.prefixes = {"44"};
    p.vendor_gateways.push_back(vendor);
  }
  p.vendor_gateways[0].caller_pool = CallerPoolConfig{"pool", 1, true};
  p.vendor_gateways[1].calls_per_second = vendor_rate.calls_per_second;
  p.vendor_gateways[1].burst = vendor_rate.burst;
  GatewayGroup group;
  group.id = "big";
  group.line_limit = group_lines;
  group.members = {{"c0", 0}, {"c1", 8}, {"v0", 0}};
  p.gateway_groups = {group};
  return config;
}

/// How many calls have what, by those that have it: counted after it was taken and uncounted before
/// it goes back, so never above what there is.
struct Truth {
  std::array<std::atomic<int>, 3> customers{};
  std::array<std::atomic<int>, 2> vendors{};
  std::array<std::atomic<int>, pool_numbers> numbers{};
  std::atomic<int> group{0};
  std::atomic<int> wrong{0};

  static void add(std::atomic<int>& count, int by, int limit, std::atomic<int>& wrong) {
    const int now = count += by;
    if (now < 0 || (limit >= 0 && now > limit)) ++wrong;
  }
  void customer(std::size_t index, int by) {
    add(customers[index], by, customer_lines[index], wrong);
    if (index != 2) add(group, by, group_lines, wrong);
  }
  void vendor(std::size_t index, int by, std::string_view number) {
    add(vendors[index], by, vendor_lines[index], wrong);
    if (index != 0) return;
    add(group, by, group_lines, wrong);
    const auto at = static_cast<std::size_t>(std::stoi(std::string(number))) - 100;
    add(numbers.at(at), by, 1, wrong);
  }
};

struct Storm {
  const SwitchConfig config = scarce();
  SharedState state;
  std::mutex mutex;  // guards `published`
  std::shared_ptr<const Tables> published = build_tables(config, state, nullptr).value();
  std::atomic<std::int64_t> now_us{1'000'000};
  std::atomic<std::int64_t> settled{0}, paid{0};  // units
  std::array<std::atomic<int>, 3> customer_calls{};
  std::array<std::atomic<int>, 2> vendor_calls{};
  Truth truth;

  std::shared_ptr<const Tables> tables() {
    const std::lock_guard lock(mutex);
    return published;
  }
  void reload() {
    auto fresh = build_tables(config, state, tables().get()).value();
    {
      const std::lock_guard lock(mutex);
      published.swap(fresh);
    }
    state.forget_unused();
  }
};

/// One thread's calls.
class Caller {
 public:
  Caller(Storm& storm, std::uint64_t seed) : storm_(storm), random_(seed) {
    for (std::size_t i = 0; i < sources_.size(); ++i)
      sources_[i] = SocketAddress::parse("10.0.0." + std::to_string(i + 1) + ":5060").value();
  }

  void run() {
    const AccountHandle account = storm_.state.accounts.find("acme");
    for (int calls = 0; calls < calls_of_a_thread;) {
      if (held_.size() < held_max && random_.below(2) == 0) {
        ++calls;
        begin();
      } else if (!held_.empty()) {
        end(random_.below(held_.size()));
      }
      if (random_.below(300) == 0) {
        if (storm_.state.accounts.pay(account, money("0.10"))) storm_.paid += money("0.10").units();
      }
      if (storm_.state.accounts.balance(account).is_negative()) ++storm_.truth.wrong;
    }
    while (!held_.empty())
      end(held_.size() - 1);
  }

  [[nodiscard]] const std::map<Reason, int>& refusals() const noexcept { return refusals_; }

 private:
  struct Held {
    std::unique_ptr<CallContext> context;
    VendorLease lease;
    std::size_t customer, vendor;
    std::string number;
  };

  void begin() {
    auto context = std::make_unique<CallContext>();
    const auto customer = static_cast<std::size_t>(random_.below(sources_.size()));
    context->tables = storm_.tables();
    context->state = &storm_.state;
    context->random = &random_;
    context->wall_us = 1'767'225'600'000'000;
    context->arrived_us = storm_.now_us.fetch_add(call_gap_us);
    context->source = sources_[customer];
    context->setup->request_user = "447911123456";
    context->setup->from_user = "15550100";
    std::size_t next_stage = 0;
    const Verdict verdict =
        run_stages(*context, {.can_authenticate = false, .can_look_up = false, .has_policy = false},
                   next_stage);
    if (verdict.kind != Verdict::Kind::go_on) {
      ++refusals_[verdict.reason];
      return;
    }
    storm_.truth.customer(customer, 1);
    ++storm_.customer_calls[customer];
    VendorLease lease;
    Reason why = Reason::NoAvailableRouter;
    for (const RouteCandidate& candidate : context->setup->candidates) {
      CandidatePlan plan = plan_candidate(*context, candidate, context->arrived_us);
      if (!plan.excluded && take_vendor(*context, plan, lease, context->arrived_us)) {
        const std::string number(plan.caller_out.view());
        storm_.truth.vendor(plan.vendor, 1, number);
        ++storm_.vendor_calls[plan.vendor];
        held_.push_back({std::move(context), std::move(lease), customer, plan.vendor, number});
        return;
      }
      why = *plan.excluded;
    }
    ++refusals_[why];
    storm_.truth.customer(customer, -1);
  }

  void end(std::size_t index) {
    std::swap(held_[index], held_.back());
    Held& call = held_.back();
    storm_.truth.customer(call.customer, -1);
    storm_.truth.vendor(call.vendor, -1, call.number);
    switch (random_.below(3)) {
      case 0: {  // it talked
        MoneyHold& hold = call.context->setup->money;
        const auto charge = static_cast<std::int64_t>(
            random_.below(static_cast<std::uint64_t>(hold.held().units()) + 1));
        storm_.settled += hold.settle(Amount::from_units(charge)).units();
        break;
      }
      case 1:  // its vendor goes before the rest, and twice
        call.lease = VendorLease{};
        call.lease.line.release();
        call.context->setup->money.cancel();
        break;
      default:  // all of it goes with the call
        break;
    }
    held_.pop_back();
  }

  Storm& storm_;
  SeededRandom random_;
  std::array<SocketAddress, customer_lines.size()> sources_;
  std::vector<Held> held_;
  std::map<Reason, int> refusals_;
};

/// Most calls that a rate lets begin in the time of the storm.
std::int64_t most_calls(const route::CallRate& rate, std::int64_t elapsed_us) {
  return rate.burst + elapsed_us * rate.calls_per_second / 1'000'000 + 1;
}

}  // namespace

TEST_CASE(
    "Leases: a million calls of four threads over reloads never take more than there is, and all "
    "of it comes back (R-10, R-11, R-22, R-24)") {
  Storm storm;
  const std::int64_t began_us = storm.now_us;
  std::vector<std::unique_ptr<Caller>> callers;
  for (std::size_t i = 0; i < threads_count; ++i)
    callers.push_back(std::make_unique<Caller>(storm, 1'000 + i));
  std::atomic<bool> is_over{false};
  int reloads = 0;
  std::thread builder([&] {
    while (!is_over) {
      storm.reload();
      ++reloads;
    }
  });
  std::vector<std::thread> threads;
  for (const auto& caller : callers)
    threads.emplace_back([&caller] { caller->run(); });
  for (std::thread& thread : threads)
    thread.join();
  is_over = true;
  builder.join();
  CHECK(reloads > 0);

  CHECK(storm.truth.wrong == 0);
  std::map<Reason, int> refusals;
  for (const auto& caller : callers) {
    for (const auto& [reason, count] : caller->refusals())
      refusals[reason] += count;
  }
  // Everything was scarce at some time, and nothing else stood in the way.
  constexpr std::array scarcities = {Reason::LineLimitExceeded, Reason::RateLimited,
                                     Reason::AccountBalanceNotEnough, Reason::AllGatewayBusy,
                                     Reason::CallerPoolExhausted};
  for (const Reason reason : scarcities) {
    CAPTURE(std::string(reason_facts(reason).name));
    CHECK(refusals[reason] > 0);
  }
  CHECK(refusals.size() == scarcities.size());
  for (const auto& calls : storm.customer_calls)
    CHECK(calls > 0);
  for (const auto& calls : storm.vendor_calls)
    CHECK(calls > 0);
  const std::int64_t elapsed_us = storm.now_us - began_us;
  CHECK(storm.customer_calls[2] <= most_calls(customer_rate, elapsed_us));
  CHECK(storm.vendor_calls[1] <= most_calls(vendor_rate, elapsed_us));

  // Nothing is left behind: not a line, not a number, not a cent.
  for (std::size_t i = 0; i < customer_lines.size(); ++i)
    CHECK(storm.state.customer_lines.current("c" + std::to_string(i)) == 0);
  for (std::size_t i = 0; i < vendor_lines.size(); ++i)
    CHECK(storm.state.vendor_lines.current("v" + std::to_string(i)) == 0);
  CHECK(storm.state.group_lines.current("big") == 0);
  for (std::size_t i = 0; i < pool_numbers; ++i)
    CHECK(storm.state.pool_lines.current("v0|" + std::to_string(100 + i)) == 0);
  const AccountHandle account = storm.state.accounts.find("acme");
  const Amount balance = storm.state.accounts.balance(account);
  CHECK(balance.units() == money("0.50").units() + storm.paid - storm.settled);
  CHECK(storm.state.accounts.usable(account) == balance);
}
