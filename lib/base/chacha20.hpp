// ChaCha20 block function (RFC 8439 section 2.3).
#pragma once

#include <cstdint>

namespace tandem {

/// Writes the 64 bytes of key stream for `state`: constants, key, counter, nonce as in RFC 8439
/// section 2.3, in words of the machine; the output is little-endian bytes.
void chacha20_block(const std::uint32_t (&state)[16], std::uint8_t (&out)[64]) noexcept;

}  // namespace tandem
