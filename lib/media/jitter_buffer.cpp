#include "media/jitter_buffer.hpp"

#include <algorithm>
#include <cstring>

namespace tandem::media {
namespace {

constexpr int misorder_max = 100;  // RFC 3550 appendix A.1
constexpr int dropout_max = 3000;
/// A transit that differs by more is another time base.
constexpr std::int64_t jump_us = 2'000'000;

constexpr int step(std::uint16_t to, std::uint16_t from) noexcept {
  return static_cast<std::int16_t>(to - from);
}

}  // namespace

void JitterBuffer::open(std::uint32_t min_ms, std::uint32_t max_ms, std::uint32_t clock_rate_hz) {
  if (bytes_ == nullptr) bytes_ = std::make_unique<std::array<char, bytes_max>>();
  min_us_ = std::int64_t{min_ms} * 1000;
  max_us_ = std::int64_t{max_ms} * 1000;
  clock_rate_hz_ = clock_rate_hz;
  depth_us_ = std::clamp(start_us, min_us_, std::max(min_us_, max_us_));
  counts_ = {};
  restart();
}

void JitterBuffer::close() noexcept {
  bytes_ = nullptr;
  restart();
}

void JitterBuffer::restart() noexcept {
  count_ = 0;
  bytes_end_ = 0;
  has_begun_ = has_given_ = false;
  came_ = 0;
}

std::int64_t JitterBuffer::media_us(std::int64_t extended) const noexcept {
  return extended * 1'000'000 / clock_rate_hz_;
}

std::int64_t JitterBuffer::due_us(std::int64_t extended) const noexcept {
  return media_us(extended) + std::min(fastest_us_[0], fastest_us_[1]) + depth_us_;
}

void JitterBuffer::measure(std::int64_t transit_us, std::int64_t now_us) noexcept {
  if (now_us - window_from_us_ >= window_us) {
    const std::int64_t fastest_us = std::min(fastest_us_[0], fastest_us_[1]);
    const std::int64_t wanted_us = std::max(slowest_us_[0], slowest_us_[1]) - fastest_us;
    if (wanted_us < depth_us_)
      depth_us_ = std::max({depth_us_ - fall_us, wanted_us, std::min(min_us_, depth_us_)});
    window_from_us_ = now_us;
    fastest_us_[1] = fastest_us_[0];
    slowest_us_[1] = slowest_us_[0];
    fastest_us_[0] = slowest_us_[0] = transit_us;
  }
  fastest_us_[0] = std::min(fastest_us_[0], transit_us);
  slowest_us_[0] = std::max(slowest_us_[0], transit_us);
  const std::int64_t slower_us = transit_us - std::min(fastest_us_[0], fastest_us_[1]);
  if (slower_us > depth_us_) depth_us_ = std::min(slower_us, std::max(max_us_, depth_us_));
}

/// Puts the bytes that are still wanted together at the beginning.
bool JitterBuffer::make_room(std::size_t size) noexcept {
  if (bytes_end_ + size <= bytes_max) return true;
  std::array<std::size_t, packets_max> order{};
  for (std::size_t i = 0; i < count_; ++i)
    order[i] = i;
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count_),
            [this](std::size_t a, std::size_t b) { return entries_[a].begin < entries_[b].begin; });
  bytes_end_ = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    Entry& entry = entries_[order[i]];
    std::memmove(bytes_->data() + bytes_end_, bytes_->data() + entry.begin, entry.size);
    entry.begin = bytes_end_;
    bytes_end_ += entry.size;
  }
  return bytes_end_ + size <= bytes_max;
}

JitterBuffer::Put JitterBuffer::put(const RtpHeader& header, std::string_view packet, bool is_audio,
                                    std::int64_t now_us) noexcept {
  // Longer than anything that a codec here makes: as if it had been lost.
  if (packet.size() > bytes_max / 4) return Put::late;
  if (!has_begun_) {
    has_begun_ = true;
    ssrc_ = header.ssrc;
    newest_sequence_ = header.sequence;
    newest_timestamp_ = header.timestamp;
    // Far from 0, so that what was before it is not below.
    newest_extended_ = (std::int64_t{1} << 32) + header.timestamp;
    window_from_us_ = now_us;
    fastest_us_[0] = fastest_us_[1] = slowest_us_[0] = slowest_us_[1] =
        now_us - media_us(newest_extended_);
  }
  const int from_newest = step(header.sequence, newest_sequence_);
  if (header.ssrc != ssrc_ || from_newest >= dropout_max || from_newest <= -misorder_max)
    return Put::other;
  const std::int64_t extended =
      newest_extended_ + static_cast<std::int32_t>(header.timestamp - newest_timestamp_);
  const std::int64_t transit_us = now_us - media_us(extended);
  const std::int64_t slower_us = transit_us - std::min(fastest_us_[0], fastest_us_[1]);
  if (is_audio && (slower_us > jump_us || slower_us < -jump_us)) return Put::other;

  if (has_given_ && step(header.sequence, next_) < 0) {
    const auto behind = static_cast<unsigned>(-step(header.sequence, next_) - 1);
    const bool has_come = behind < 64 && (came_ >> behind & 1) != 0;
    if (has_come) return Put::repeated;
    if (behind < 64) came_ |= std::uint64_t{1} << behind;
    ++counts_.late;
    if (is_audio) measure(transit_us, now_us);  // those behind it shall find their place
    return Put::late;
  }
  std::size_t at = count_;
  while (at > 0 && step(entries_[at - 1].header.sequence, header.sequence) > 0)
    --at;
  if (at > 0 && entries_[at - 1].header.sequence == header.sequence) return Put::repeated;
  if (count_ == packets_max || !make_room(packet.size())) return Put::full;
  if (is_audio) measure(transit_us, now_us);
  std::move_backward(entries_.begin() + static_cast<std::ptrdiff_t>(at),
                     entries_.begin() + static_cast<std::ptrdiff_t>(count_),
                     entries_.begin() + static_cast<std::ptrdiff_t>(count_ + 1));
  ++count_;
  entries_[at] = {header, extended, bytes_end_, packet.size(), is_audio};
  std::memcpy(bytes_->data() + bytes_end_, packet.data(), packet.size());
  bytes_end_ += packet.size();
  if (from_newest > 0) {
    newest_sequence_ = header.sequence;
    if (is_audio) {
      newest_timestamp_ = header.timestamp;
      newest_extended_ = extended;
    }
  }
  return Put::taken;
}

void JitterBuffer::pass(std::uint16_t to, bool has_come) noexcept {
  const auto steps = static_cast<unsigned>(step(to, next_));
  came_ = steps >= 64 ? 0 : came_ << steps;
  if (has_come) came_ |= 1;
  next_ = to;
}

JitterBuffer::Due JitterBuffer::take(std::int64_t now_us, bool is_waiting) noexcept {
  Due due;
  if (count_ == 0) return due;
  const Entry head = entries_[0];
  const auto missing =
      has_given_ ? static_cast<std::uint16_t>(head.header.sequence - next_) : std::uint16_t{0};
  if (missing > 0) {
    const std::int64_t each = (head.extended - last_.extended) / (missing + 1);
    const bool is_filled =
        last_.is_audio && head.is_audio && each > 0 && media_us(each * missing) <= concealed_max_us;
    if (is_filled) {
      const std::int64_t extended = last_.extended + each;
      if (is_waiting && now_us < due_us(extended)) return due;
      due.kind = Due::Kind::lost;
      due.header = head.header;
      due.header.sequence = next_;
      due.header.timestamp =
          head.header.timestamp - static_cast<std::uint32_t>(head.extended - extended);
      due.units = static_cast<std::uint32_t>(each);
      if (missing == 1) due.packet = {bytes_->data() + head.begin, head.size};
      ++counts_.lost;
      pass(static_cast<std::uint16_t>(next_ + 1), false);
      last_.extended = extended;
      return due;
    }
  }
  // The copies of a key all have the time of its beginning: they are due when they come.
  if (is_waiting && now_us < due_us(head.extended)) return due;
  counts_.lost += missing;
  due.kind = Due::Kind::packet;
  due.header = head.header;
  due.packet = {bytes_->data() + head.begin, head.size};
  if (!has_given_) next_ = head.header.sequence;
  has_given_ = true;
  pass(static_cast<std::uint16_t>(head.header.sequence + 1), true);
  last_ = head;
  std::move(entries_.begin() + 1, entries_.begin() + static_cast<std::ptrdiff_t>(count_),
            entries_.begin());
  --count_;
  return due;
}

}  // namespace tandem::media
