// Configuration text from outside: no input may crash, every error is one line with a pointer, and
// what is accepted is complete.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "switch/config_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const tandem::ConfigReading reading =
      tandem::read_config_alone({reinterpret_cast<const char*>(bytes), size});
  for (const tandem::ConfigError& error : reading.errors) {
    if (error.message.empty()) std::abort();
    if (!error.pointer.empty() && error.pointer.front() != '/') std::abort();
  }
  if (!reading.errors.empty()) return 0;
  if (reading.config.sip_listen.empty()) std::abort();
  for (const auto& account : reading.config.provision.accounts) {
    if (account.id.empty()) std::abort();
  }
  return 0;
}
