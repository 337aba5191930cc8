#include "cdr/zstd/zstd_flow.hpp"

#include <zstd.h>

#include <array>

namespace tandem::cdr {
namespace {

constexpr int level = 9;            // of 19: made once, in the background
constexpr int window_log_max = 27;  // 128 MiB: what an archive may make its reader take
constexpr std::size_t buffer_bytes = 65'536;

Error no_memory() { return {ErrorCode::limit, "no memory for the compressor"}; }
Error too_much() { return {ErrorCode::limit, "more was compressed than was said"}; }

bool append(std::string& out, const char* bytes, std::size_t count, std::size_t out_max) {
  if (out.size() > out_max || count > out_max - out.size()) return false;
  out.append(bytes, count);
  return true;
}

class Compressor final : public ByteFlow {
 public:
  Compressor() : context_(ZSTD_createCCtx()) {}
  bool prepare() {
    return context_ != nullptr &&
           ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level)) ==
               0 &&
           ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1)) == 0;
  }
  Result<void> put(std::string_view bytes, std::size_t out_max, std::string& out) override {
    return run(bytes, ZSTD_e_continue, out_max, out);
  }
  Result<void> finish(std::size_t out_max, std::string& out) override {
    return run({}, ZSTD_e_end, out_max, out);
  }

 private:
  Result<void> run(std::string_view bytes, ZSTD_EndDirective directive, std::size_t out_max,
                   std::string& out) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer part{buffer_.data(), buffer_.size(), 0};
      const std::size_t left = ZSTD_compressStream2(context_.get(), &part, &in, directive);
      if (ZSTD_isError(left) != 0)
        return Error{ErrorCode::internal,
                     std::string("compression failed: ") + ZSTD_getErrorName(left)};
      if (!append(out, buffer_.data(), part.pos, out_max)) return too_much();
      if (directive == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
    }
  }

  struct Free {
    void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
  };
  std::unique_ptr<ZSTD_CCtx, Free> context_;
  std::array<char, buffer_bytes> buffer_;
};

class Expander final : public ByteFlow {
 public:
  Expander() : context_(ZSTD_createDCtx()) {}
  bool prepare() {
    return context_ != nullptr && ZSTD_isError(ZSTD_DCtx_setParameter(
                                      context_.get(), ZSTD_d_windowLogMax, window_log_max)) == 0;
  }
  Result<void> put(std::string_view bytes, std::size_t out_max, std::string& out) override {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer part{buffer_.data(), buffer_.size(), 0};
      const std::size_t hint = ZSTD_decompressStream(context_.get(), &part, &in);
      if (ZSTD_isError(hint) != 0)
        return Error{ErrorCode::corrupt,
                     std::string("compressed bytes were not readable: ") + ZSTD_getErrorName(hint)};
      is_complete_ = hint == 0;
      if (!append(out, buffer_.data(), part.pos, out_max)) return too_much();
      // A buffer that was filled may have more behind it, though all bytes were taken; but not
      // behind the end of the frame, where asking would begin another one.
      if (in.pos == in.size && (is_complete_ || part.pos < part.size)) return {};
    }
  }
  Result<void> finish(std::size_t, std::string&) override {
    if (is_complete_) return {};
    return Error{ErrorCode::corrupt, "compressed bytes ended before their end"};
  }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_;
  bool is_complete_ = false;
  std::array<char, buffer_bytes> buffer_;
};

template <class Flow>
Result<std::unique_ptr<ByteFlow>> made() {
  auto flow = std::make_unique<Flow>();
  if (!flow->prepare()) return no_memory();
  return std::unique_ptr<ByteFlow>(std::move(flow));
}

}  // namespace

Result<std::unique_ptr<ByteFlow>> make_zstd_compressor() { return made<Compressor>(); }
Result<std::unique_ptr<ByteFlow>> make_zstd_expander() { return made<Expander>(); }

}  // namespace tandem::cdr
