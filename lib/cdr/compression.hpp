// Streams of compressed bytes, of a library that may be left out of a build.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tandem/error.hpp"

namespace tandem::cdr {

/// One direction of a stream. Threading: one thread at a time.
class ByteFlow {
 public:
  virtual ~ByteFlow();
  /// Takes all of `bytes` and appends what comes out of it, at most `out_max` bytes: a few bytes
  /// can be told to become any number. Errors: corrupt (it is no such stream), limit (more comes
  /// out).
  virtual Result<void> put(std::string_view bytes, std::size_t out_max, std::string& out) = 0;
  /// There is no more. Errors: corrupt (the stream is not complete), limit.
  virtual Result<void> finish(std::size_t out_max, std::string& out) = 0;
};

/// Whether this build can compress (Zstandard, RFC 8878).
bool has_compression() noexcept;
/// Errors: unsupported (has_compression() is false), limit (no memory).
Result<std::unique_ptr<ByteFlow>> make_compressor();
Result<std::unique_ptr<ByteFlow>> make_expander();

}  // namespace tandem::cdr
