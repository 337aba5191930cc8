// UDP sockets of the system, as the backends that have them use them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "media/packed_address.hpp"
#include "media/unique_fd.hpp"

namespace tandem::media {

union SystemAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

socklen_t to_system(const PackedAddress& address, SystemAddress& system) noexcept;
PackedAddress from_system(const SystemAddress& system) noexcept;
std::string system_message(int code);

/// Whether `code` says that files or memory were short, and not that something is wrong.
bool is_out_of_files(int code) noexcept;

}  // namespace tandem::media
