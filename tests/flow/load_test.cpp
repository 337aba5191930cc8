// Many calls, many workers, bad networks, strange messages.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "flow/flow.hpp"
#include "support/sanitizers.hpp"
#include "support/source_folder.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// Dials `calls` calls, one every `gap_us`, each of `talk_us`, and checks that every one completed
/// and left one record.
void run_calls(Bench& bench, int calls, std::int64_t gap_us, std::int64_t talk_us) {
  DialPlan dial;
  dial.hang_up_after_us = talk_us;
  for (int i = 0; i < calls; ++i) {
    bench.dial(dial, "4420" + std::to_string(100'000 + i));
    bench.world.run_for_us(gap_us);
  }
  bench.check_clean();
  const auto expected = static_cast<std::size_t>(calls);
  REQUIRE(bench.world.cdrs().size() == expected);
  std::set<std::string> ids;
  Amount sum;
  for (const Cdr& cdr : bench.world.cdrs()) {
    CHECK(cdr.end_reason == Reason::NormalCallClearing);
    CHECK(cdr.attempts.size() == 1);
    ids.insert(cdr.call_id);
    sum = Amount::add(sum, cdr.customer.charge).value();
  }
  CHECK(ids.size() == expected);
  CHECK(bench.a->counters().answered == expected);
  CHECK(bench.b->counters().answered == expected);
  CHECK(bench.tandem->counters().calls_answered == expected);
  CHECK(bench.balance() ==
        Amount::subtract(bench.config.provision.accounts[0].balance, sum).value());
}

}  // namespace

TEST_CASE("Load: one trunk spreads over all workers and no call is lost (O-11)") {
  for (const int workers : {1, 2, 4}) {
    CAPTURE(workers);
    SwitchConfig config = base_config();
    config.sip_workers = workers;
    Bench bench(config);
    run_calls(bench, 200, 20'000, 2 * second_us);
    const auto by_worker = bench.tandem->counters().calls_by_worker;
    REQUIRE(by_worker.size() == static_cast<std::size_t>(workers));
    for (const std::uint64_t calls : by_worker) {
      CHECK(calls > static_cast<std::uint64_t>(200 / workers / 2));
    }
  }
}

TEST_CASE("Load: with 5 % of all datagrams lost, 200 calls complete and count once (17.1.1)") {
  WorldOptions options;
  options.link.loss_per_mille = 50;
  options.link.jitter_us = 3000;
  options.link.duplicate_per_mille = 10;
  Bench bench(base_config(), options);
  run_calls(bench, 200, 100'000, 20 * second_us);
  CHECK(bench.tandem->counters().retransmissions > 0);
}

TEST_CASE("Load: whichever datagram of a call is lost, the call completes (17.1.1, 13.3.1.4)") {
  for (int lost = 1; lost <= 40; ++lost) {
    CAPTURE(lost);
    Bench bench;
    bench.b->set_plan(answer_after(second_us));
    int seen = 0;
    bench.world.drop_if([&](const DatagramView&) { return ++seen == lost; });
    run_calls(bench, 1, second_us, 5 * second_us);
  }
}

constexpr int hour_s = checked_build::is_sanitized ? 600 : 3600;

TEST_CASE("Load: an hour of calls takes seconds, and twice the same seconds") {
  const auto hour = [] {
    SwitchConfig config = base_config();
    config.provision.accounts[0].balance = money("5000.00");
    Bench bench(config);
    DialPlan dial;
    dial.hang_up_after_us = 10 * second_us;
    constexpr int calls = 5 * hour_s;
    for (int i = 0; i < calls; ++i) {
      bench.dial(dial);
      bench.world.run_for_us(200'000);
    }
    bench.check_clean();
    CHECK(bench.world.cdrs().size() == calls);
    CHECK(bench.b->counters().answered == calls);
    CHECK(bench.balance() ==
          Amount::from_units(money("5000.00").units() - calls * money("0.10").units()));
    return bench.world.trace_hash();
  };
  CHECK(hour() == hour());
}

TEST_CASE("Load: no message of the torture corpus breaks the next good call (RFC 4475)") {
  const std::filesystem::path corpus =
      std::filesystem::path(tandem::test::source_folder()) / ".." / "shared" / "testdata";
  std::vector<std::filesystem::path> files;
  for (const char* folder : {"sip-torture", "sip-malformed"}) {
    std::error_code error;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus / folder, error))
      if (entry.is_regular_file()) files.push_back(entry.path());
  }
  if (files.empty()) {
    std::printf("not run: no corpus at %s\n", corpus.c_str());
    return;
  }
  std::sort(files.begin(), files.end());
  Bench bench;
  auto raw = bench.world.add_raw_endpoint("10.0.1.1:5099");
  REQUIRE(raw.ok());
  int good = 0;
  for (const auto& file : files) {
    CAPTURE(file.string());
    std::ifstream stream(file, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(stream)), {});
    (*raw)->send(at(switch_address), bytes.substr(0, 65'000));
    bench.run_ms(50);
    auto call = bench.connect();
    call->hang_up();
    bench.run_ms(50);
    CHECK(call->is_over());
    ++good;
  }
  bench.check_clean();
  int recorded = 0;
  for (const Cdr& cdr : bench.world.cdrs())
    recorded += cdr.caller_ip == "10.0.1.1:5060" ? 1 : 0;
  CHECK(recorded == good);
}
