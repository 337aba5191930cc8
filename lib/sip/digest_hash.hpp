// The hashes of digest authentication; digest_hash.cpp alone includes OpenSSL.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "sip/digest.hpp"

namespace tandem::sip {

struct Hash {
  std::array<std::uint8_t, 32> bytes{};
  std::size_t size = 0;  ///< 16 or 32; 0 when the library refused (MD5 on a FIPS system).
};

Hash hash_of(DigestAlgorithm algorithm, std::initializer_list<std::string_view> parts) noexcept;
/// HMAC-SHA-256 (RFC 2104) with a key of at most 64 bytes. Each part goes in behind its length, so
/// that moving a byte from one part to the next changes the hash.
Hash keyed_hash(std::span<const std::uint8_t> key,
                std::initializer_list<std::string_view> parts) noexcept;

}  // namespace tandem::sip
