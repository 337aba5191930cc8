// A switch whose sums by slots are of the days of a zone.
#include <doctest/doctest.h>

#include <algorithm>

#include "tandem/cdr_slots.hpp"
#include "tandem/switch.hpp"
#include "unit/cdr/temporary_folder.hpp"

using namespace tandem;

TEST_CASE("Switch: a reload to another zone than that of the sums by slots is refused (C-11)") {
  const cdr::test::TemporaryFolder folder;
  const auto config_of = [&](const std::string& zone,
                             const std::string& more = ", {\"type\": \"slots\"}") {
    ConfigReading reading =
        read_config(R"({"sip": {"listen": ["udp:127.0.0.1:0"]}, "parameters": {"timezone": ")" +
                        zone + R"("}, "cdr": {"sinks": [{"type": "sqlite"})" + more + "]}}",
                    folder.path());
    REQUIRE(reading.errors.empty());
    return std::move(reading.config);
  };
  for (int start = 0; start < 2; ++start) {
    auto made = Switch::create(config_of("+05:30"), {});
    REQUIRE_MESSAGE(made.ok(), (made.ok() ? std::string() : made.error().message));
    REQUIRE((*made)->start().ok());
    const auto refused = (*made)->reload(config_of("UTC"));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::invalid_argument);
    CHECK(refused.error().message.find("/parameters/timezone: \"UTC\"") == 0);
    CHECK(refused.error().message.find("slots.db") != std::string::npos);
    // Nor are they made anew while they are written.
    CHECK(rebuild_cdr_slots(config_of("UTC")).error().code == ErrorCode::already_exists);
    CHECK((*made)->reload(config_of("+05:30")).ok());
    if (start == 1) CHECK((*made)->reload(config_of("UTC", "")).ok());  // nor will there be sums
    (*made)->close();  // and what is in force can be started with again
  }
  REQUIRE_FALSE(Switch::create(config_of("UTC"), {}).ok());
  CHECK(rebuild_cdr_slots(config_of("UTC", "")).error().code == ErrorCode::unsupported);
  CHECK(rebuild_cdr_slots(config_of("UTC")).value() == 0);
  auto moved = Switch::create(config_of("UTC"), {});
  REQUIRE_MESSAGE(moved.ok(), (moved.ok() ? std::string() : moved.error().message));
  REQUIRE((*moved)->start().ok());
  const std::vector<CdrSinkState> sinks = (*moved)->counters().sinks;
  CHECK(std::any_of(sinks.begin(), sinks.end(),
                    [](const CdrSinkState& sink) { return sink.name == "ledger"; }));
  CHECK(sinks.size() >= 3);
}
