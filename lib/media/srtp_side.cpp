#include "media/srtp_side.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/re.hpp"
#include "media/rtp.hpp"

namespace tandem::media {
namespace {

constexpr std::size_t streams_max = 8;        // of one key, that can be heard at the same time
constexpr std::size_t past_streams_max = 64;  // ... and that gave their place to others
constexpr std::size_t scratch_bytes = 2048;
constexpr std::size_t gcm_tag_bytes = 16;  // RFC 7714 section 13.2
constexpr std::size_t report_tag_bytes = 10;

::srtp_suite suite_of(SrtpSuite suite) noexcept {
  switch (suite) {
    case SrtpSuite::aes_cm_128_hmac_sha1_32:
      return SRTP_AES_CM_128_HMAC_SHA1_32;
    case SrtpSuite::aes_256_cm_hmac_sha1_80:
      return SRTP_AES_256_CM_HMAC_SHA1_80;
    case SrtpSuite::aes_256_cm_hmac_sha1_32:
      return SRTP_AES_256_CM_HMAC_SHA1_32;
    case SrtpSuite::aead_aes_128_gcm:
      return SRTP_AES_128_GCM;
    case SrtpSuite::aead_aes_256_gcm:
      return SRTP_AES_256_GCM;
    case SrtpSuite::none:
    case SrtpSuite::aes_cm_128_hmac_sha1_80:
      break;
  }
  return SRTP_AES_CM_128_HMAC_SHA1_80;
}

// The short tag is for RTP alone (RFC 4568 section 6.2.2); libre would shorten that of reports too.
SrtpSuite suite_of_reports(SrtpSuite suite) noexcept {
  if (suite == SrtpSuite::aes_cm_128_hmac_sha1_32) return SrtpSuite::aes_cm_128_hmac_sha1_80;
  if (suite == SrtpSuite::aes_256_cm_hmac_sha1_32) return SrtpSuite::aes_256_cm_hmac_sha1_80;
  return suite;
}

bool is_gcm(SrtpSuite suite) noexcept {
  return suite == SrtpSuite::aead_aes_128_gcm || suite == SrtpSuite::aead_aes_256_gcm;
}

std::uint32_t read_32(std::string_view bytes, std::size_t at) noexcept {
  std::uint32_t number = 0;
  for (std::size_t i = at; i < at + 4; ++i)
    number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}
std::uint16_t sequence_of(std::string_view bytes) noexcept {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[2]) << 8 |
                                    static_cast<unsigned char>(bytes[3]));
}

/// Which places of a stream were used (RFC 3711 section 3.3.2).
class Window {
 public:
  static constexpr std::uint64_t size = 64;

  [[nodiscard]] bool has_begun() const noexcept { return has_begun_; }
  [[nodiscard]] std::uint64_t highest() const noexcept { return highest_; }
  [[nodiscard]] bool is_too_old(std::uint64_t index) const noexcept {
    return has_begun_ && index + size <= highest_;
  }
  [[nodiscard]] bool is_free(std::uint64_t index) const noexcept {
    if (!has_begun_ || index > highest_) return true;
    return !is_too_old(index) && (used_ >> (highest_ - index) & 1) == 0;
  }
  void take(std::uint64_t index) noexcept {
    if (!has_begun_ || index > highest_) {
      const std::uint64_t step = has_begun_ ? index - highest_ : size;
      used_ = (step < size ? used_ << step : 0) | 1;
      highest_ = index;
      has_begun_ = true;
    } else {
      used_ |= std::uint64_t{1} << (highest_ - index);
    }
  }

 private:
  std::uint64_t highest_ = 0, used_ = 0;  // bit n of used_: highest_ - n
  bool has_begun_ = false;
};

// The index of a packet as libre counts it, which takes none of before a roll-over behind it
// (RFC 3711 appendix A would): nothing.
std::optional<std::uint64_t> index_of(const Window& packets, std::uint16_t sequence) noexcept {
  if (!packets.has_begun()) return sequence;
  const int step = int{sequence} - static_cast<int>(packets.highest() & 0xFFFF);
  if (step > 32768) return std::nullopt;
  const std::uint64_t rolled = (packets.highest() >> 16) + (step <= -32768 ? 1 : 0);
  return rolled << 16 | sequence;
}

struct Stream {
  std::uint32_t ssrc = 0;
  std::uint64_t used = 0;  // when, by the count of packets
  io::Ref<::srtp> rtp, rtcp;
  Window packets, reports;
  // Of a sender: what is added to the sequence numbers of a source that began anew, and the next
  // one of a source that may have.
  std::uint16_t shift = 0;
  std::optional<std::uint16_t> anew_at;
};

}  // namespace

/// What is common to both directions: the streams of one key, each with contexts of its own, since
/// libre's forget no stream and hold few.
class SrtpStreams {
 public:
  explicit SrtpStreams(SrtpKey key) : key_(std::move(key)) {
    streams_.reserve(streams_max + 1);
    scratch_ = io::Ref<::mbuf>::adopt(::mbuf_alloc(scratch_bytes));
  }
  [[nodiscard]] const SrtpKey& key() const noexcept { return key_; }
  [[nodiscard]] bool is_usable() {
    io::Ref<::srtp> context;
    return scratch_ && allocate(context, key_.suite);
  }

 protected:
  bool allocate(io::Ref<::srtp>& context, SrtpSuite suite) const noexcept {
    return ::srtp_alloc(context.out(), suite_of(suite),
                        reinterpret_cast<const std::uint8_t*>(key_.key.data()), key_.key.size(),
                        0) == 0;
  }
  bool load(std::string_view bytes) noexcept {
    ::mbuf_rewind(scratch_.get());
    if (::mbuf_write_mem(scratch_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()),
                         bytes.size()) != 0)
      return false;
    scratch_->pos = 0;
    return true;
  }
  [[nodiscard]] std::string_view loaded() const noexcept {
    return {reinterpret_cast<const char*>(scratch_->buf), scratch_->end};
  }

  Stream* find(std::uint32_t ssrc) noexcept {
    for (Stream& stream : streams_) {
      if (stream.ssrc != ssrc) continue;
      stream.used = ++uses_;
      return &stream;
    }
    return nullptr;
  }
  /// Whether a stream that is not there may begin. One that was there may not: what of it was used
  /// is forgotten.
  [[nodiscard]] bool may_begin(std::uint32_t ssrc) const noexcept {
    return past_.size() < past_streams_max &&
           std::find(past_.begin(), past_.end(), ssrc) == past_.end();
  }
  Stream* keep(Stream&& stream) {
    if (streams_.size() == streams_max) {
      const auto oldest =
          std::min_element(streams_.begin(), streams_.end(),
                           [](const Stream& a, const Stream& b) { return a.used < b.used; });
      past_.push_back(oldest->ssrc);
      streams_.erase(oldest);
    }
    stream.used = ++uses_;
    return &streams_.emplace_back(std::move(stream));
  }

  const SrtpKey key_;
  io::Ref<::mbuf> scratch_;

 private:
  std::vector<Stream> streams_;
  std::vector<std::uint32_t> past_;
  std::uint64_t uses_ = 0;
};

class SrtpReceiver : public SrtpStreams {
 public:
  using SrtpStreams::SrtpStreams;

  SrtpVerdict open_rtp(std::string_view& bytes) {
    constexpr std::size_t header_bytes = 12;
    if (bytes.size() < header_bytes) return SrtpVerdict::not_authentic;
    return open(bytes, read_32(bytes, 8), [this](Stream& stream, std::string_view& packet) {
      return open_rtp(stream, packet);
    });
  }

  SrtpVerdict open_rtcp(std::string_view& bytes) {
    const std::size_t trailer = 4 + (is_gcm(key_.suite) ? gcm_tag_bytes : report_tag_bytes);
    if (bytes.size() < 8 + trailer) return SrtpVerdict::not_authentic;
    return open(bytes, read_32(bytes, 4), [this](Stream& stream, std::string_view& packet) {
      return open_rtcp(stream, packet);
    });
  }

 private:
  template <class Open>
  SrtpVerdict open(std::string_view& bytes, std::uint32_t ssrc, Open open_one) {
    if (Stream* const stream = find(ssrc)) return open_one(*stream, bytes);
    if (!may_begin(ssrc)) return SrtpVerdict::not_authentic;
    // Only what is authentic begins a stream, or strangers could push out those that are there.
    Stream fresh;
    fresh.ssrc = ssrc;
    const SrtpVerdict verdict = open_one(fresh, bytes);
    if (verdict == SrtpVerdict::authentic) keep(std::move(fresh));
    return verdict;
  }

  SrtpVerdict open_rtp(Stream& stream, std::string_view& bytes) {
    const std::optional<std::uint64_t> index = index_of(stream.packets, sequence_of(bytes));
    if (!index || !stream.packets.is_free(*index)) return SrtpVerdict::repeated;
    if (!stream.rtp && !allocate(stream.rtp, key_.suite)) return SrtpVerdict::not_authentic;
    if (!load(bytes)) return SrtpVerdict::not_authentic;
    if (::srtp_decrypt(stream.rtp.get(), scratch_.get()) != 0) {
      // libre counts a roll-over before it looks at the tag: what a stranger forged would put the
      // true packets behind it out of place for good.
      if (!stream.packets.has_begun() || *index >> 16 != stream.packets.highest() >> 16)
        restore(stream);
      return SrtpVerdict::not_authentic;
    }
    stream.packets.take(*index);
    bytes = loaded();
    return SrtpVerdict::authentic;
  }

  /// A new context with the counter of the stream. libre lets nobody set it, but counts with what
  /// is encrypted too.
  void restore(Stream& stream) {
    constexpr std::uint64_t rolls_max = 4096;  // 60 days of voice
    const Window before = std::exchange(stream.packets, {});
    stream.rtp.reset();
    const std::uint64_t rolls = before.highest() >> 16;
    if (!before.has_begun() || rolls > rolls_max || !allocate(stream.rtp, key_.suite)) return;
    bool is_restored = true;
    for (std::uint64_t roll = 0; roll < rolls; ++roll) {
      is_restored = is_restored && count(stream, 65535);
      is_restored = is_restored && count(stream, 0);
    }
    if (is_restored && count(stream, static_cast<std::uint16_t>(before.highest()))) {
      stream.packets = before;
    } else {
      stream.rtp.reset();
    }
  }
  bool count(const Stream& stream, std::uint16_t sequence) {
    std::string header(12, '\0');
    header[0] = '\x80';
    header[2] = static_cast<char>(sequence >> 8);
    header[3] = static_cast<char>(sequence);
    for (std::size_t i = 0; i < 4; ++i)
      header[8 + i] = static_cast<char>(stream.ssrc >> (24 - 8 * i));
    return load(header) && ::srtp_encrypt(stream.rtp.get(), scratch_.get()) == 0;
  }

  SrtpVerdict open_rtcp(Stream& stream, std::string_view& bytes) {
    const std::size_t tag_bytes = is_gcm(key_.suite) ? 0 : report_tag_bytes;
    const std::uint32_t index = read_32(bytes, bytes.size() - 4 - tag_bytes) & 0x7FFFFFFF;
    if (!stream.reports.is_free(index)) return SrtpVerdict::repeated;
    if (!stream.rtcp && !allocate(stream.rtcp, suite_of_reports(key_.suite)))
      return SrtpVerdict::not_authentic;
    if (!load(bytes) || ::srtcp_decrypt(stream.rtcp.get(), scratch_.get()) != 0)
      return SrtpVerdict::not_authentic;
    stream.reports.take(index);
    bytes = loaded();
    return SrtpVerdict::authentic;
  }
};

class SrtpSender : public SrtpStreams {
 public:
  using SrtpStreams::SrtpStreams;

  bool seal_rtp(std::string_view& bytes) {
    if (!parse_rtp(bytes)) return false;  // such as T.38: it has no stream
    Stream* const stream = stream_of(read_32(bytes, 8));
    if (stream == nullptr || (!stream->rtp && !allocate(stream->rtp, key_.suite))) return false;
    const std::uint16_t sequence = sequence_of(bytes);
    auto out = static_cast<std::uint16_t>(sequence + stream->shift);
    std::optional<std::uint64_t> index = index_of(stream->packets, out);
    if (!index || stream->packets.is_too_old(*index)) {
      // Late, or the source began anew under its SSRC, which two packets in order tell (RFC 3550
      // appendix A.1). The other end would take the latter for repeated, so they go on behind what
      // was sent.
      if (stream->anew_at != sequence) {
        stream->anew_at = static_cast<std::uint16_t>(sequence + 1);
        return false;
      }
      out = static_cast<std::uint16_t>(stream->packets.highest() + 1);
      stream->shift = static_cast<std::uint16_t>(out - sequence);
      index = index_of(stream->packets, out);
    }
    stream->anew_at.reset();
    // One place is never used for two packets: together they would give away both.
    if (!index || !stream->packets.is_free(*index) || !load(bytes)) return false;
    scratch_->buf[2] = static_cast<std::uint8_t>(out >> 8);
    scratch_->buf[3] = static_cast<std::uint8_t>(out);
    if (::srtp_encrypt(stream->rtp.get(), scratch_.get()) != 0) return false;
    stream->packets.take(*index);
    bytes = loaded();
    return true;
  }

  bool seal_rtcp(std::string_view& bytes) {
    if (bytes.size() < 8) return false;
    Stream* const stream = stream_of(read_32(bytes, 4));
    if (stream == nullptr ||
        (!stream->rtcp && !allocate(stream->rtcp, suite_of_reports(key_.suite))))
      return false;
    if (!load(bytes) || ::srtcp_encrypt(stream->rtcp.get(), scratch_.get()) != 0) return false;
    bytes = loaded();
    return true;
  }

 private:
  Stream* stream_of(std::uint32_t ssrc) {
    if (Stream* const known = find(ssrc)) return known;
    if (!may_begin(ssrc)) return nullptr;
    Stream fresh;
    fresh.ssrc = ssrc;
    return keep(std::move(fresh));
  }
};

namespace {

Result<void> check(const SrtpKey& key, const char* name) {
  if (key.key.size() == srtp_key_bytes(key.suite)) return {};
  return Error{ErrorCode::invalid_argument, std::string(name) + " key had " +
                                                std::to_string(key.key.size()) + " bytes, " +
                                                srtp_suite_name(key.suite) + " needs " +
                                                std::to_string(srtp_key_bytes(key.suite))};
}

}  // namespace

SrtpSide::~SrtpSide() = default;

Result<std::shared_ptr<SrtpSide>> SrtpSide::create(const MediaCrypto& crypto,
                                                   const SrtpSide* former) {
  if (crypto.receive.suite == SrtpSuite::none || crypto.send.suite == SrtpSuite::none)
    return Error{ErrorCode::invalid_argument, "one direction alone had a suite"};
  if (auto checked = check(crypto.receive, "receive"); !checked) return checked.error();
  if (auto checked = check(crypto.send, "send"); !checked) return checked.error();
  std::shared_ptr<SrtpSide> side(new SrtpSide);
  side->crypto_ = crypto;
  if (former != nullptr && former->crypto_.receive == crypto.receive) {
    side->receiver_ = former->receiver_;
    side->former_ = former->former_;
  } else {
    side->receiver_ = std::make_shared<SrtpReceiver>(crypto.receive);
    if (former != nullptr) side->former_ = former->receiver_;
  }
  side->sender_ = former != nullptr && former->crypto_.send == crypto.send
                      ? former->sender_
                      : std::make_shared<SrtpSender>(crypto.send);
  if (!side->receiver_->is_usable() || !side->sender_->is_usable())
    return Error{ErrorCode::internal, std::string("the cipher of ") +
                                          srtp_suite_name(crypto.send.suite) + " was refused"};
  return side;
}

// What does not fit into memory is as if it had not come.
SrtpVerdict SrtpSide::open_rtp(std::string_view& bytes) noexcept try {
  SrtpVerdict verdict = receiver_->open_rtp(bytes);
  if (verdict == SrtpVerdict::authentic) is_former_over_ = true;
  if (verdict == SrtpVerdict::not_authentic && former_ != nullptr && !is_former_over_)
    verdict = former_->open_rtp(bytes);
  return verdict;
} catch (...) {
  return SrtpVerdict::not_authentic;
}

SrtpVerdict SrtpSide::open_rtcp(std::string_view& bytes) noexcept try {
  SrtpVerdict verdict = receiver_->open_rtcp(bytes);
  if (verdict == SrtpVerdict::not_authentic && former_ != nullptr && !is_former_over_)
    verdict = former_->open_rtcp(bytes);
  return verdict;
} catch (...) {
  return SrtpVerdict::not_authentic;
}

bool SrtpSide::seal_rtp(std::string_view& bytes) noexcept try {
  return sender_->seal_rtp(bytes);
} catch (...) {
  return false;
}

bool SrtpSide::seal_rtcp(std::string_view& bytes) noexcept try {
  return sender_->seal_rtcp(bytes);
} catch (...) {
  return false;
}

}  // namespace tandem::media
