// CRC-32C (Castagnoli, RFC 3720 appendix B.4), the check of journal records and stored tables.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem {

/// CRC of `size_bytes` bytes. To go on over several pieces, hand in the result for the pieces
/// before. Threading: any thread.
[[nodiscard]] std::uint32_t crc32c(const void* bytes, std::size_t size_bytes,
                                   std::uint32_t before = 0) noexcept;

/// The same without the processor's instruction; for its test and for machines that lack it.
[[nodiscard]] std::uint32_t crc32c_portable(const void* bytes, std::size_t size_bytes,
                                            std::uint32_t before = 0) noexcept;

}  // namespace tandem
