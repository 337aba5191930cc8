// A switch for one customer and one vendor.   minimal_cpp_main [SECONDS [LISTEN]]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "tandem/tandem.hpp"

int main(int argc, char** argv) {
  const int seconds = argc > 1 ? std::atoi(argv[1]) : 3600;
  const std::string listen = argc > 2 ? argv[2] : "udp:127.0.0.1:5060";
  const auto [config, errors] = tandem::read_config(R"({
    "sip": {"listen": [")" + listen + R"("]},
    "provision": {
      "accounts": [{"id": "acme", "balance": "100.00", "rate_deck": "retail"}],
      "rate_decks": [{"id": "retail", "rates": [{"prefix": "44", "price": "0.60"}]}],
      "customer_gateways": [{"id": "cust", "addresses": ["127.0.0.2"], "account": "acme"}],
      "vendor_gateways": [{"id": "v1", "addresses": ["127.0.0.1:5070"], "prefixes": ["44"]}]
    }
  })",
                                                    ".");
  for (const auto& error : errors)
    std::fprintf(stderr, "%s: %s\n", error.pointer.c_str(), error.message.c_str());
  if (!errors.empty()) return 2;

  tandem::SwitchHooks hooks;
  hooks.on_event = [](const tandem::Event& event) {
    std::printf("%s %s\n", tandem::event_kind_name(event.kind), event.call.callee.c_str());
  };
  auto created = tandem::Switch::create(config, std::move(hooks));
  if (!created) {
    std::fprintf(stderr, "%s\n", created.error().message.c_str());
    return 1;
  }
  tandem::Switch& running = **created;
  if (const auto started = running.start(); !started) return 1;
  std::printf("taking calls at %s\n", running.listening()[0].address.to_string().c_str());
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  running.close();
}
