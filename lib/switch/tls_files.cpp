#include "switch/tls_files.hpp"

namespace tandem {

Result<std::shared_ptr<const io::TlsContext>> open_tls(const SwitchConfig& config) {
  if (!config.sip_tls) return std::shared_ptr<const io::TlsContext>();
  std::string_view key;
  auto context = io::TlsContext::create(io::resolved_tls(*config.sip_tls, config.folder), key);
  if (context) return context;
  Error error = std::move(context).error();
  if (!key.empty()) error.message = "/sip/tls/" + std::string(key) + ": " + error.message;
  return error;
}

}  // namespace tandem
