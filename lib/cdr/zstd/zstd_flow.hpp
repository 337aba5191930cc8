// Zstandard by libzstd.
#pragma once

#include <memory>

#include "cdr/compression.hpp"

namespace tandem::cdr {

Result<std::unique_ptr<ByteFlow>> make_zstd_compressor();
Result<std::unique_ptr<ByteFlow>> make_zstd_expander();

}  // namespace tandem::cdr
