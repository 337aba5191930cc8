// Memory of one worker: objects by slot, bytes by size class. Nothing here is shared between
// threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <new>
#include <string_view>
#include <utility>

#include "base/pages.hpp"
#include "sip/chunks.hpp"

namespace tandem::sip {

/// Objects with a slot number that can be named in a Via branch or a tag, so that a message finds
/// its object by an array index. Addresses are stable. What memory it keeps is told by ChunkRow.
///
/// T is constructed as T(slot, args...) and has `std::uint32_t slot() const`.
template <class T>
class SlabPool {
 public:
  SlabPool() = default;
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;
  ~SlabPool() {
    for_each([this](T& object) { destroy(object); });
    row_.clear([](Chunk& chunk) { unmap_pages(&chunk, chunk_bytes); });
  }

  template <class... Args>
  T& create(Args&&... args) {
    Chunk* chunk = row_.first();
    if (chunk == nullptr) chunk = &grow();
    const std::uint32_t place = chunk->free;
    Node& node = chunk->nodes[place];
    T* object =
        ::new (node.bytes) T(chunk->index * chunk_size + place, std::forward<Args>(args)...);
    chunk->free = node.next_free;
    node.is_live = true;
    ++live_;
    ++chunk->live;
    if (chunk->free == ChunkHead::none) row_.on_full(*chunk);
    return *object;
  }

  void destroy(T& object) noexcept {
    const std::uint32_t slot = object.slot();
    object.~T();
    Chunk& chunk = *row_.at(slot / chunk_size);
    Node& node = chunk.nodes[slot % chunk_size];
    const bool was_full = chunk.free == ChunkHead::none;
    node.is_live = false;
    node.next_free = chunk.free;
    chunk.free = slot % chunk_size;
    --live_;
    if (was_full) row_.on_room(chunk);
    if (--chunk.live == 0) row_.on_empty(chunk);
  }

  /// The living object in `slot`, or nullptr.
  [[nodiscard]] T* at(std::uint32_t slot) noexcept {
    Chunk* const chunk = row_.at(slot / chunk_size);
    if (chunk == nullptr) return nullptr;
    Node& node = chunk->nodes[slot % chunk_size];
    return node.is_live ? std::launder(reinterpret_cast<T*>(node.bytes)) : nullptr;
  }

  [[nodiscard]] std::size_t live() const noexcept { return live_; }
  /// Of all chunks.
  [[nodiscard]] std::size_t bytes_held() const noexcept { return row_.count() * chunk_bytes; }
  /// It holds no more than it always does.
  [[nodiscard]] bool is_settled() const noexcept { return row_.count() <= 1; }
  /// A turn of ChunkRow::keep_up().
  void keep_up(Upkeep& upkeep) {
    row_.keep_up(upkeep, [](Chunk& chunk) { unmap_pages(&chunk, chunk_bytes); });
  }

  /// Calls `visit` for every living object; `visit` may destroy the one it is given.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (std::uint32_t slot = 0; slot < row_.size() * chunk_size; ++slot) {
      if (T* object = at(slot)) visit(*object);
    }
  }

 private:
  static constexpr std::uint32_t chunk_size = 256;
  struct Node {
    alignas(T) unsigned char bytes[sizeof(T)];
    std::uint32_t next_free;
    bool is_live;
  };
  struct Chunk : ChunkHead {
    Node nodes[chunk_size];
  };
  static constexpr std::size_t chunk_bytes =
      (sizeof(Chunk) + page_bytes - 1) / page_bytes * page_bytes;

  Chunk& grow() {
    row_.prepare();
    Chunk& chunk = *::new (map_pages(chunk_bytes)) Chunk;
    for (std::uint32_t place = 0; place < chunk_size; ++place) {
      chunk.nodes[place].next_free = place + 1 < chunk_size ? place + 1 : ChunkHead::none;
      chunk.nodes[place].is_live = false;
    }
    chunk.free = 0;
    row_.add(chunk);
    return chunk;
  }

  ChunkRow<Chunk> row_;
  std::size_t live_ = 0;
};

/// Blocks in size classes, cut from slabs and reused; longer ones come from the heap. A block knows
/// its size, and by its address the slab and so the pool that it came from: a string in a pool is
/// one pointer, and there are two dozen of them in a call. A slab has blocks of one class, so that
/// it runs empty with them.
///
/// What lives for some seconds and what lives as long as a call belong into different pools: where
/// they lie side by side, slabs never run empty.
class BufferPool {
 public:
#if defined(__SANITIZE_ADDRESS__)
  static constexpr bool is_pooling = false;  // so that the sanitizer sees the end of every block
#else
  static constexpr bool is_pooling = true;
#endif

  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool() {
    for (ChunkRow<Slab>& row : rows_)
      row.clear(unmap);
  }

  /// `text`, copied into a block. Give it back with give_back().
  [[nodiscard]] char* keep(std::string_view text);
  static void give_back(char* block) noexcept;
  [[nodiscard]] static std::string_view view(const char* block) noexcept {
    return {block, head_of(block) & ~heap_bit};
  }
  /// Bytes in blocks that are in use, without those from the heap.
  [[nodiscard]] std::size_t bytes_used() const noexcept { return bytes_used_; }
  /// Of all slabs.
  [[nodiscard]] std::size_t bytes_held() const noexcept {
    std::size_t slabs = 0;
    for (const ChunkRow<Slab>& row : rows_)
      slabs += row.count();
    return slabs * slab_bytes;
  }
  /// It holds no more than it always does.
  [[nodiscard]] bool is_settled() const noexcept {
    return std::all_of(std::begin(rows_), std::end(rows_),
                       [](const ChunkRow<Slab>& row) { return row.count() <= 1; });
  }
  /// A turn of ChunkRow::keep_up() for each class.
  void keep_up(Upkeep& upkeep) {
    for (ChunkRow<Slab>& row : rows_)
      row.keep_up(upkeep, unmap);
  }

 private:
  /// In front of a block's bytes: their number, with a bit for those from the heap.
  using Head = std::uint32_t;
  static constexpr Head heap_bit = 0x8000'0000;
  // With their heads. Most are short and live as long as a call, so those have narrow classes.
  static constexpr std::uint32_t narrow_bytes = 8;
  static constexpr std::uint32_t narrow_max_bytes = 192;
  static constexpr std::uint32_t narrow_classes = narrow_max_bytes / narrow_bytes;
  static constexpr std::uint32_t wide_class_bytes[] = {256,  384,  512,  768,  1024,
                                                       1536, 2048, 3072, 4096, 6144};
  static constexpr std::size_t classes = narrow_classes + std::size(wide_class_bytes);
  static constexpr std::uint32_t class_bytes(std::uint32_t size_class) noexcept {
    return size_class < narrow_classes ? (size_class + 1) * narrow_bytes
                                       : wide_class_bytes[size_class - narrow_classes];
  }
  /// The least one that takes a block; `classes` when none does.
  static constexpr std::uint32_t class_of(std::size_t size_bytes) noexcept {
    if (size_bytes <= narrow_max_bytes)
      return static_cast<std::uint32_t>((size_bytes - 1) / narrow_bytes);
    std::uint32_t size_class = narrow_classes;
    while (size_class < classes && class_bytes(size_class) < size_bytes)
      ++size_class;
    return size_class;
  }
  static constexpr std::uint32_t slab_bytes = 64 * 1024;  // and what its address is a multiple of

  /// What a slab begins with; its blocks follow. `free`: offset of the first block that was given
  /// back, each of which begins with that of the next one.
  struct Slab : ChunkHead {
    BufferPool* pool = nullptr;
    std::uint32_t size_class = 0;
    std::uint32_t uncut = 0;  // offset of what was never cut into blocks

    [[nodiscard]] bool is_full() const noexcept {
      return free == none && uncut + class_bytes(size_class) > slab_bytes;
    }
  };
  static constexpr std::uint32_t first_block = (sizeof(Slab) + 7) / 8 * 8;

  static void unmap(Slab& slab) noexcept { unmap_pages(&slab, slab_bytes, slab_bytes); }
  static Head head_of(const char* block) noexcept {
    Head head = 0;
    std::memcpy(&head, block - sizeof head, sizeof head);
    return head;
  }
  static Slab& slab_of(const char* block) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(block);
    return *reinterpret_cast<Slab*>(address & ~(std::uintptr_t{slab_bytes} - 1));
  }
  [[nodiscard]] char* take(std::uint32_t size_class);
  Slab& grow(std::uint32_t size_class);

  ChunkRow<Slab> rows_[classes];
  std::size_t bytes_used_ = 0;
};

inline char* BufferPool::keep(std::string_view text) {
  const std::size_t size_bytes = sizeof(Head) + text.size();
  const std::uint32_t size_class = is_pooling ? class_of(size_bytes) : classes;
  Head head = static_cast<Head>(text.size());
  char* place = nullptr;
  if (size_class < classes) {
    place = take(size_class);
  } else {
    if (text.size() >= heap_bit) throw std::bad_alloc();
    head |= heap_bit;
    place = static_cast<char*>(::operator new(size_bytes));
  }
  std::memcpy(place, &head, sizeof head);
  char* const block = place + sizeof head;
  std::memcpy(block, text.data(), text.size());
  return block;
}

inline char* BufferPool::take(std::uint32_t size_class) {
  ChunkRow<Slab>& row = rows_[size_class];
  Slab* slab = row.first();
  if (slab == nullptr) slab = &grow(size_class);
  char* place = reinterpret_cast<char*>(slab);
  if (slab->free != ChunkHead::none) {
    place += slab->free;
    std::memcpy(&slab->free, place, sizeof slab->free);
  } else {
    place += slab->uncut;
    slab->uncut += class_bytes(size_class);
  }
  ++slab->live;
  bytes_used_ += class_bytes(size_class);
  if (slab->is_full()) row.on_full(*slab);
  return place;
}

inline BufferPool::Slab& BufferPool::grow(std::uint32_t size_class) {
  ChunkRow<Slab>& row = rows_[size_class];
  row.prepare();
  Slab& slab = *::new (map_pages(slab_bytes, slab_bytes)) Slab;
  slab.pool = this;
  slab.size_class = size_class;
  slab.uncut = first_block;
  row.add(slab);
  return slab;
}

inline void BufferPool::give_back(char* block) noexcept {
  char* const place = block - sizeof(Head);
  if ((head_of(block) & heap_bit) != 0) {
    ::operator delete(place);
    return;
  }
  Slab& slab = slab_of(block);
  ChunkRow<Slab>& row = slab.pool->rows_[slab.size_class];
  slab.pool->bytes_used_ -= class_bytes(slab.size_class);
  const bool was_full = slab.is_full();
  std::memcpy(place, &slab.free, sizeof slab.free);
  slab.free = static_cast<std::uint32_t>(place - reinterpret_cast<char*>(&slab));
  if (was_full) row.on_room(slab);
  if (--slab.live > 0) return;
  // Cut anew from the front, so that what few blocks need is few pages.
  slab.free = ChunkHead::none;
  slab.uncut = first_block;
  row.on_empty(slab);
}

/// A string in a BufferPool. Threading: loop-bound, like its pool, which must outlive it.
class Bytes {
 public:
  Bytes() = default;
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  Bytes(Bytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Bytes& operator=(Bytes&& other) noexcept {
    if (this != &other) {
      clear();
      block_ = std::exchange(other.block_, nullptr);
    }
    return *this;
  }
  ~Bytes() { clear(); }

  /// `text` must not lie in this block.
  void assign(BufferPool& pool, std::string_view text) {
    clear();
    if (!text.empty()) block_ = pool.keep(text);
  }
  void clear() noexcept {
    if (block_ != nullptr) BufferPool::give_back(std::exchange(block_, nullptr));
  }
  [[nodiscard]] std::string_view view() const noexcept {
    return block_ == nullptr ? std::string_view() : BufferPool::view(block_);
  }
  [[nodiscard]] bool empty() const noexcept { return block_ == nullptr; }

 private:
  char* block_ = nullptr;
};

}  // namespace tandem::sip
