#include "cdr/compression.hpp"

#ifdef TANDEM_WITH_ZSTD
#include "cdr/zstd/zstd_flow.hpp"
#endif

namespace tandem::cdr {

ByteFlow::~ByteFlow() = default;

#ifdef TANDEM_WITH_ZSTD

bool has_compression() noexcept { return true; }
Result<std::unique_ptr<ByteFlow>> make_compressor() { return make_zstd_compressor(); }
Result<std::unique_ptr<ByteFlow>> make_expander() { return make_zstd_expander(); }

#else

namespace {

Error not_built() {
  return {ErrorCode::unsupported, "this library was built without archives (TANDEM_WITH_ZSTD)"};
}

}  // namespace

bool has_compression() noexcept { return false; }
Result<std::unique_ptr<ByteFlow>> make_compressor() { return not_built(); }
Result<std::unique_ptr<ByteFlow>> make_expander() { return not_built(); }

#endif

}  // namespace tandem::cdr
