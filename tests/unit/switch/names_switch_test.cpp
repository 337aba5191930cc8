// Names of gateways of a switch with its threads: a change that is installed while it closes. How
// far the change comes is up to the machine; it must end well wherever it is, and ThreadSanitizer
// and AddressSanitizer see where it does not.
#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>

#include "tandem/switch.hpp"
#include "unit/cdr/temporary_folder.hpp"

using namespace tandem;

TEST_CASE("Switch: reloads and looks at names end well while it closes") {
  std::atomic<int> reloads{0}, refused{0};
  for (int round = 0; round < 4; ++round) {
    const cdr::test::TemporaryFolder folder;
    ConfigReading reading = read_config(R"({
      "sip": {"listen": ["udp:127.0.0.1:0"]},
      "dns": {"servers": ["127.0.0.1:9"], "timeout_ms": 100, "rounds": 1},
      "cdr": {"sinks": []},
      "provision": {
        "rate_decks": [{"id": "retail", "rates": [{"prefix": "44", "price": "0.60"}]}],
        "accounts": [{"id": "acme", "balance": "10.00", "rate_deck": "retail"}],
        "customer_gateways": [{"id": "cust", "addresses": ["cust.example"], "account": "acme"}],
        "vendor_gateways": [{"id": "v1", "addresses": ["sip.example"], "account": "acme"}]}
    })",
                                        folder.path());
    REQUIRE(reading.errors.empty());
    auto made = Switch::create(reading.config, {});
    REQUIRE(made.ok());
    REQUIRE((*made)->start().ok());
    Switch& tandem = **made;
    std::atomic<bool> is_over{false};
    std::thread reloader([&] {
      for (;;) {
        const auto reloaded = tandem.reload(reading.config);
        if (!reloaded) {
          CHECK(reloaded.error().code == ErrorCode::wrong_state);
          ++refused;
          return;
        }
        ++reloads;
      }
    });
    std::thread reader([&] {
      while (!is_over.load()) {
        (void)tandem.gateways();
        (void)tandem.counters();
      }
    });
    while (reloads < round + 1)
      std::this_thread::yield();
    tandem.close();
    reloader.join();
    is_over.store(true);
    reader.join();
  }
  CHECK(refused == 4);
}
