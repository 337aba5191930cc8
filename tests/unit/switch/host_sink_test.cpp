#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tandem/switch.hpp"
#include "unit/cdr/temporary_folder.hpp"

using namespace tandem;

namespace {

class NullSink final : public CdrSink {
 public:
  Result<void> write(const Cdr&) override { return {}; }
  Result<void> flush() override { return {}; }
};

}  // namespace

TEST_CASE("Switch: the place of a host's sink has the same name whatever the configuration lists") {
  for (std::size_t configured = 0; configured < 3; ++configured) {
    for (std::size_t index = 0; index < 2; ++index) {
      CAPTURE(configured);
      CAPTURE(index);
      cdr::test::TemporaryFolder folder;
      ConfigReading reading =
          read_config(R"({"sip": {"listen": ["udp:127.0.0.1:5060"]}})", folder.path());
      REQUIRE(reading.errors.empty());
      SwitchConfig& config = reading.config;
      config.cdr_sinks.clear();
      for (std::size_t i = 0; i < configured; ++i)
        config.cdr_sinks.push_back({.type = "csv", .path = "csv" + std::to_string(i)});
      SwitchHooks hooks;
      hooks.cdr_sinks = {std::make_shared<NullSink>(), std::make_shared<NullSink>()};
      // The switch reads places before it opens a socket, and names one that it cannot read.
      const std::string name = "host-sink-" + std::to_string(index) + ".position";
      std::filesystem::create_directory(config.path(config.cdr_journal));
      std::ofstream(config.path(config.cdr_journal) + "/" + name) << "no number";
      const auto refused = Switch::create(config, std::move(hooks));
      REQUIRE_FALSE(refused.ok());
      CHECK(refused.error().code == ErrorCode::corrupt);
      CHECK(refused.error().message.find(name) != std::string::npos);
    }
  }
}
