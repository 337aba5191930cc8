// Capture files: pcap with raw IP packets, whose UDP and IP headers are made for the payload.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tandem/values.hpp"

namespace tandem::trace {

/// What such a file begins with.
std::string capture_file_head();

/// Appends one datagram, of at most 65,535 bytes with its headers: what is longer is cut.
void append_datagram(std::string& file, const SocketAddress& from, const SocketAddress& to,
                     std::int64_t wall_us, std::string_view payload);

}  // namespace tandem::trace
