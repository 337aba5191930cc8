// Certificate, key and authorities of a configuration.
#pragma once

#include <memory>
#include <string>

#include "io/tls.hpp"
#include "tandem/config.hpp"

namespace tandem {

/// Reads the files of `sip.tls`; null without it. The error of a file begins with the JSON pointer
/// to its key. Errors: those of TlsContext::create().
Result<std::shared_ptr<const io::TlsContext>> open_tls(const SwitchConfig& config);

}  // namespace tandem
