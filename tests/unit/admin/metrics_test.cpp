#include "admin/metrics.hpp"

#include <doctest/doctest.h>

using namespace tandem;

TEST_CASE("metrics: of each sink how far it is behind, how often it refused, what it set aside") {
  SwitchCounters counters;
  CdrSinkState ledger;
  ledger.name = "ledger";
  ledger.position = 40;
  CdrSinkState slow;
  slow.name = "a \"b\"";
  slow.position = 7;
  slow.lag_records = 33;
  slow.lag_us = 61'234'567;
  slow.failures = 5;
  slow.is_failing = true;
  slow.set_aside = 2;
  counters.sinks = {ledger, slow};
  const std::string text = admin::metrics_text(counters, {}, {}, {});
  const auto has = [&](const char* line) { return text.find(line) != std::string::npos; };
  CHECK(has("tandem_sink_position{sink=\"ledger\"} 40\n"));
  CHECK(has("tandem_sink_records_waiting{sink=\"ledger\"} 0\n"));
  CHECK(has("tandem_sink_records_waiting{sink=\"a \\\"b\\\"\"} 33\n"));
  CHECK(has("tandem_sink_oldest_waiting_milliseconds{sink=\"a \\\"b\\\"\"} 61234\n"));
  CHECK(has("tandem_sink_retries_total{sink=\"a \\\"b\\\"\"} 5\n"));
  CHECK(has("tandem_sink_failing{sink=\"ledger\"} 0\n"));
  CHECK(has("tandem_sink_failing{sink=\"a \\\"b\\\"\"} 1\n"));
  CHECK(has("tandem_sink_records_set_aside{sink=\"a \\\"b\\\"\"} 2\n"));
  CHECK(has("# TYPE tandem_sink_retries_total counter\n"));
}
