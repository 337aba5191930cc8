// The pieces of memory that a pool consists of, and which of them it can do without.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tandem::sip {

/// What a chunk begins with.
struct ChunkHead {
  static constexpr std::uint32_t none = 0xffffffff;

  std::uint32_t index = 0;       ///< In its row.
  std::uint32_t live = 0;        ///< What of it is in use.
  std::uint32_t free = none;     ///< Where its list of free places begins.
  std::uint32_t emptied_at = 0;  ///< Turn of the row's upkeep in which nothing of it was in use.
};

/// What one turn of upkeep may still do: so it holds nothing up, however much there is to give
/// back.
struct Upkeep {
  static constexpr std::size_t looks = 256;  ///< At chunks of one row.
  static constexpr std::uint32_t rest_turns =
      4;                       ///< That a chunk is empty before it is given back.
  std::size_t releases = 32;   ///< Of chunks.
  std::size_t merges = 8'192;  ///< Of buckets of tables.
};

/// The chunks of one kind, by a number that stays. Places are always taken from the first chunk
/// that has some, so that the last ones run empty when less is needed. What has stayed empty for
/// some turns of upkeep is given back; the first chunk stays. So a steady load gives nothing back
/// that it would take again, and a burst leaves nothing behind.
///
/// `Chunk` begins with a ChunkHead. Threading: one thread at a time.
template <class Chunk>
class ChunkRow {
 public:
  /// The first one with room; null: none has.
  [[nodiscard]] Chunk* first() const noexcept {
    return first_ == ChunkHead::none ? nullptr : chunks_[first_];
  }
  /// Null: there is none of this number.
  [[nodiscard]] Chunk* at(std::size_t index) const noexcept {
    return index < chunks_.size() ? chunks_[index] : nullptr;
  }
  [[nodiscard]] std::size_t size() const noexcept { return chunks_.size(); }
  /// How many there are.
  [[nodiscard]] std::size_t count() const noexcept { return chunks_.size() - vacant_; }

  /// Makes room for the number of one that is added next, so that add() cannot fail.
  void prepare() {
    if (vacant_ > 0) return;
    if (chunks_.size() % 64 == 0) has_room_.reserve(chunks_.size() / 64 + 1);
    chunks_.reserve(std::bit_ceil(chunks_.size() + 1));
  }
  /// REQUIRES: prepare(), and that no other one has room.
  void add(Chunk& chunk) noexcept {
    std::size_t index = chunks_.size();
    if (vacant_ > 0) {
      index = static_cast<std::size_t>(std::find(chunks_.begin(), chunks_.end(), nullptr) -
                                       chunks_.begin());
      --vacant_;
    } else {
      chunks_.push_back(nullptr);
      if (index / 64 == has_room_.size()) has_room_.push_back(0);
    }
    chunks_[index] = &chunk;
    chunk.index = static_cast<std::uint32_t>(index);
    chunk.emptied_at = turn_;
    on_room(chunk);
  }
  /// The first one has no room any more.
  void on_full(Chunk& chunk) noexcept { clear_room(chunk.index); }
  /// One that was full has room.
  void on_room(Chunk& chunk) noexcept {
    has_room_[chunk.index / 64] |= 1ULL << chunk.index % 64;
    first_ = std::min(first_, chunk.index);
  }
  void on_empty(Chunk& chunk) noexcept { chunk.emptied_at = turn_; }

  /// One turn: calls `release` for chunks that have rested, as far as `upkeep` goes.
  template <class Release>
  void keep_up(Upkeep& upkeep, Release&& release) {
    ++turn_;
    const std::size_t looks = std::min(Upkeep::looks, chunks_.size());
    for (std::size_t i = 0; i < looks && upkeep.releases > 0; ++i) {
      // From the last one down, where the empty ones are.
      if (next_look_ <= 1 || next_look_ > chunks_.size()) next_look_ = chunks_.size();
      const std::size_t index = --next_look_;
      if (index == 0 || !has_room(index)) continue;  // those that are full are not even read
      Chunk& chunk = *chunks_[index];
      if (chunk.live > 0 || turn_ - chunk.emptied_at <= Upkeep::rest_turns) continue;
      drop(index);
      release(chunk);
      --upkeep.releases;
    }
  }
  /// Calls `release` for all of them.
  template <class Release>
  void clear(Release&& release) {
    for (Chunk* const chunk : chunks_) {
      if (chunk != nullptr) release(*chunk);
    }
    chunks_.clear();
    has_room_.clear();
    vacant_ = 0;
    first_ = ChunkHead::none;
  }

 private:
  [[nodiscard]] bool has_room(std::size_t index) const noexcept {
    return (has_room_[index / 64] >> index % 64 & 1) != 0;
  }
  void clear_room(std::size_t index) noexcept {
    std::size_t word = index / 64;
    has_room_[word] &= ~(1ULL << index % 64);
    if (first_ != index) return;
    while (word < has_room_.size() && has_room_[word] == 0)
      ++word;  // no bit before the first one was set
    first_ = word == has_room_.size()
                 ? ChunkHead::none
                 : static_cast<std::uint32_t>(word * 64) +
                       static_cast<std::uint32_t>(std::countr_zero(has_room_[word]));
  }
  void drop(std::size_t index) noexcept {
    clear_room(index);
    chunks_[index] = nullptr;
    ++vacant_;
    for (; !chunks_.empty() && chunks_.back() == nullptr; --vacant_)
      chunks_.pop_back();
  }

  std::vector<Chunk*> chunks_;           // null: given back, the number is free
  std::vector<std::uint64_t> has_room_;  // a bit for each
  std::uint32_t first_ = ChunkHead::none;
  std::uint32_t turn_ = 0;
  std::size_t vacant_ = 0;
  std::size_t next_look_ = 0;
};

}  // namespace tandem::sip
