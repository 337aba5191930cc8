// Re-ratings of a switch with its threads: beside reloads, cancelled, and at its end (B-25). How
// far a job comes is up to the machine; what is checked holds wherever it stops.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <thread>

#include "tandem/switch.hpp"
#include "unit/cdr/temporary_folder.hpp"

using namespace tandem;

namespace {

constexpr std::size_t calls_count = 300;

SwitchConfig config_in(const std::string& folder) {
  ConfigReading reading = read_config(R"({
    "sip": {"listen": ["udp:127.0.0.1:0"]},
    "cdr": {"sinks": [{"type": "sqlite"}]},
    "provision": {
      "rate_decks": [{"id": "retail", "rates": [{"prefix": "44", "price": "0.60"}]},
                     {"id": "next", "rates": [{"prefix": "44", "price": "0.90"}]},
                     {"id": "last", "rates": [{"prefix": "44", "price": "1.20"}]}],
      "accounts": [{"id": "acme", "balance": "10000.00", "rate_deck": "retail"}],
      "customer_gateways": [{"id": "cust", "addresses": ["192.0.2.1"], "account": "acme"}]}
  })",
                                      folder);
  REQUIRE(reading.errors.empty());
  return reading.config;
}

std::unique_ptr<Switch> open(const SwitchConfig& config) {
  auto made = Switch::create(config, {});
  REQUIRE(made.ok());
  REQUIRE((*made)->start().ok());
  return std::move(*made);
}

void record_calls(Switch& tandem) {
  ExternalCall call;
  call.customer_gateway = "cust";
  call.callee = "442079460000";
  call.started_at_us = call.answered_at_us = SystemClock().wall_us() - 3'600'000'000;
  call.ended_at_us = call.started_at_us + 60'000'000;
  for (std::size_t i = 0; i < calls_count; ++i) {
    call.flow_number = std::to_string(i);
    REQUIRE(tandem.record_call(call).ok());
  }
  CdrQuery query;
  query.limit = 10 * calls_count;
  while (tandem.cdrs(query).value().size() < calls_count)
    std::this_thread::yield();
}

RerateJob ended(const Switch& tandem, std::uint64_t id) {
  for (;;) {
    RerateJob job = tandem.rerate_job(id).value();
    if (job.state != RerateJob::State::running) return job;
    std::this_thread::yield();
  }
}

/// Once the ledger has all of them.
void check_corrections(const Switch& tandem, std::uint64_t expected) {
  LedgerCheck check = tandem.check_ledger().value();
  while (check.corrections < expected)
    check = tandem.check_ledger().value();
  CHECK(check.corrections == expected);
  CHECK(check.ok());
}

}  // namespace

TEST_CASE("Re-rating: jobs beside reloads, cancelled and closed, keep what they did (B-25)") {
  const cdr::test::TemporaryFolder folder;
  SwitchConfig config = config_in(folder.path());
  auto tandem = open(config);
  record_calls(*tandem);
  const RerateQuery next{"next", false, {}, {}, {}};
  std::uint64_t corrected = 0;
  for (int run = 0; run < 3; ++run) {
    const std::uint64_t id = tandem->start_rerate(next, {"list", "ann", false}).value();
    REQUIRE(tandem->reload(config).ok());
    CHECK(tandem->cancel_rerate(id).ok());
    const RerateJob job = ended(*tandem, id);
    CHECK(job.state != RerateJob::State::failed);
    corrected += job.corrected;
    check_corrections(*tandem, corrected);
  }
  corrected += tandem->apply_rerate(next, {"list", "ann", false}).value().corrected;
  CHECK(corrected == calls_count);
  check_corrections(*tandem, corrected);

  const RerateQuery last{"last", false, {}, {}, {}};
  const std::uint64_t id = tandem->start_rerate(last, {"list", "ann", false}).value();
  while (tandem->rerate_job(id)->state == RerateJob::State::running &&
         tandem->rerate_job(id)->corrected == 0)
    std::this_thread::yield();
  tandem->close();
  const RerateJob job = tandem->rerate_job(id).value();
  CHECK(job.state != RerateJob::State::running);
  CHECK(job.corrected > 0);
  tandem.reset();
  tandem = open(config);
  check_corrections(*tandem, corrected + job.corrected);
  CHECK(tandem->apply_rerate(last, {"list", "ann", false}).value().corrected ==
        calls_count - job.corrected);
  check_corrections(*tandem, 2 * calls_count);
  CHECK(tandem->account("acme")->balance == Amount::parse("9640.00").value());
  // What records were written with is not what they are charged by now.
  const RerateQuery first{"retail", false, {}, {}, {}};
  CHECK(tandem->apply_rerate(first, {"list", "ann", false}).value().corrected == calls_count);
  check_corrections(*tandem, 3 * calls_count);
  CHECK(tandem->account("acme")->balance == Amount::parse("9820.00").value());
}
