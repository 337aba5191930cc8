// TLS for a thread that may wait: to servers that prove to be the host of a URL.
#pragma once

#include <memory>

#include "remote/byte_stream.hpp"
#include "tandem/error.hpp"
#include "tandem/tls.hpp"

namespace tandem::remote {

/// Connections of `below` with TLS over them. The server must show a certificate of an authority in
/// `files.ca` (or of the system) that is good now and for the host that is asked for: its address,
/// or its name, of which the first label may be a wildcard (RFC 9110 section 4.3.4, RFC 9525). When
/// it asks for a certificate it gets that of `files`. The files are read for each connection, so
/// that renewed ones count without a restart; whether they can be read is asked here first.
/// `clock` outlives what it makes. Errors: those of io::read_tls_files().
Result<std::unique_ptr<Dialer>> make_tls_dialer(const Clock& clock, TlsConfig files,
                                                std::unique_ptr<Dialer> below);

}  // namespace tandem::remote
