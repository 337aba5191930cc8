#include "switch/tls_files.hpp"

namespace tandem {

TlsConfig resolved_tls(const TlsConfig& tls, const std::string& folder) {
  TlsConfig resolved = tls;
  for (std::string* path : {&resolved.certificate, &resolved.key, &resolved.ca}) {
    if (!path->empty() && path->front() != '/') *path = folder + "/" + *path;
  }
  return resolved;
}

Result<std::shared_ptr<const io::TlsContext>> open_tls(const SwitchConfig& config) {
  if (!config.sip_tls) return std::shared_ptr<const io::TlsContext>();
  std::string_view key;
  auto context = io::TlsContext::create(resolved_tls(*config.sip_tls, config.folder), key);
  if (context) return context;
  Error error = std::move(context).error();
  if (!key.empty()) error.message = "/sip/tls/" + std::string(key) + ": " + error.message;
  return error;
}

}  // namespace tandem
