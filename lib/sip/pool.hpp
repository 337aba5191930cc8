// Memory of one worker: objects by slot, bytes by size class. Nothing here is shared between
// threads.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::sip {

/// Objects with a slot number that can be named in a Via branch or a tag, so that a message finds
/// its object by an array index. Addresses are stable; memory is kept for reuse, so it is bounded
/// by the peak.
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
  }

  template <class... Args>
  T& create(Args&&... args) {
    if (free_ == none) grow();
    const std::uint32_t slot = free_;
    Node& node = node_at(slot);
    T* object = ::new (node.bytes) T(slot, std::forward<Args>(args)...);
    free_ = node.next_free;
    node.is_live = true;
    ++live_;
    return *object;
  }

  void destroy(T& object) noexcept {
    const std::uint32_t slot = object.slot();
    object.~T();
    Node& node = node_at(slot);
    node.is_live = false;
    node.next_free = free_;
    free_ = slot;
    --live_;
  }

  /// The living object in `slot`, or nullptr.
  [[nodiscard]] T* at(std::uint32_t slot) noexcept {
    if (slot / chunk_size >= chunks_.size()) return nullptr;
    Node& node = node_at(slot);
    return node.is_live ? std::launder(reinterpret_cast<T*>(node.bytes)) : nullptr;
  }

  [[nodiscard]] std::size_t live() const noexcept { return live_; }

  /// Calls `visit` for every living object; `visit` may destroy the one it is given.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (std::uint32_t slot = 0; slot < chunks_.size() * chunk_size; ++slot) {
      if (T* object = at(slot)) visit(*object);
    }
  }

 private:
  static constexpr std::uint32_t chunk_size = 256;
  static constexpr std::uint32_t none = 0xffffffff;
  struct Node {
    alignas(T) unsigned char bytes[sizeof(T)];
    std::uint32_t next_free = none;
    bool is_live = false;
  };

  Node& node_at(std::uint32_t slot) noexcept {
    return chunks_[slot / chunk_size][slot % chunk_size];
  }
  void grow() {
    const auto first = static_cast<std::uint32_t>(chunks_.size() * chunk_size);
    chunks_.emplace_back(new Node[chunk_size]);
    for (std::uint32_t i = chunk_size; i-- > 0;) {
      node_at(first + i).next_free = free_;
      free_ = first + i;
    }
  }

  std::vector<std::unique_ptr<Node[]>> chunks_;
  std::uint32_t free_ = none;
  std::size_t live_ = 0;
};

/// Blocks in size classes, cut from slabs and reused; longer ones come from the heap. A block knows
/// its size, and by its address the slab and so the pool that it came from: a string in a pool is
/// one pointer, and there are two dozen of them in a call.
class BufferPool {
 public:
  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  /// `text`, copied into a block. Give it back with give_back().
  [[nodiscard]] char* keep(std::string_view text);
  static void give_back(char* block) noexcept;
  [[nodiscard]] static std::string_view view(const char* block) noexcept {
    return {block, head_of(block).size};
  }
  /// Bytes in blocks that are in use, without those from the heap.
  [[nodiscard]] std::size_t bytes_used() const noexcept { return bytes_used_; }

 private:
  /// In front of a block's bytes.
  struct Head {
    std::uint32_t size;
    std::uint32_t size_class;
  };
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
  static constexpr std::uint32_t heap_class = 0xff;
  static constexpr std::size_t slab_bytes =
      256 * 1024;  // and what a slab's address is a multiple of
#if defined(__SANITIZE_ADDRESS__)
  static constexpr bool is_pooling = false;  // so that the sanitizer sees the end of every block
#else
  static constexpr bool is_pooling = true;
#endif

  struct SlabDeleter {
    void operator()(char* slab) const noexcept {
      ::operator delete (slab, std::align_val_t{slab_bytes});
    }
  };

  static const Head& head_of(const char* block) noexcept {
    return *std::launder(reinterpret_cast<const Head*>(block - sizeof(Head)));
  }
  /// A slab begins with the address of its pool.
  static BufferPool& pool_of(const char* block) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(block);
    BufferPool* pool = nullptr;
    std::memcpy(&pool, reinterpret_cast<const char*>(address & ~(slab_bytes - 1)), sizeof pool);
    return *pool;
  }
  [[nodiscard]] char* cut(std::size_t size_bytes);

  char* free_[classes] = {};  // each begins with the next one
  std::vector<std::unique_ptr<char, SlabDeleter>> slabs_;
  std::size_t left_bytes_ = 0;
  std::size_t bytes_used_ = 0;
};

inline char* BufferPool::keep(std::string_view text) {
  const std::size_t size_bytes = sizeof(Head) + text.size();
  std::uint32_t size_class = is_pooling ? class_of(size_bytes) : classes;
  char* place = nullptr;
  if (size_class < classes) {
    bytes_used_ += class_bytes(size_class);
    place = free_[size_class];
    if (place != nullptr) {
      std::memcpy(&free_[size_class], place, sizeof free_[size_class]);
    } else {
      place = cut(class_bytes(size_class));
    }
  } else {
    size_class = heap_class;
    place = static_cast<char*>(::operator new(size_bytes));
  }
  ::new (place) Head{static_cast<std::uint32_t>(text.size()), size_class};
  char* const block = place + sizeof(Head);
  std::memcpy(block, text.data(), text.size());
  return block;
}

inline char* BufferPool::cut(std::size_t size_bytes) {
  if (left_bytes_ < size_bytes) {
    slabs_.emplace_back(
        static_cast<char*>(::operator new (slab_bytes, std::align_val_t{slab_bytes})));
    const BufferPool* const pool = this;
    std::memcpy(slabs_.back().get(), &pool, sizeof pool);
    left_bytes_ = slab_bytes - sizeof pool;
  }
  char* const place = slabs_.back().get() + (slab_bytes - left_bytes_);
  left_bytes_ -= size_bytes;
  return place;
}

inline void BufferPool::give_back(char* block) noexcept {
  const std::uint32_t size_class = head_of(block).size_class;
  char* const place = block - sizeof(Head);
  if (size_class == heap_class) {
    ::operator delete(place);
    return;
  }
  BufferPool& pool = pool_of(block);
  pool.bytes_used_ -= class_bytes(size_class);
  std::memcpy(place, &pool.free_[size_class], sizeof(char*));
  pool.free_[size_class] = place;
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
