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

/// Blocks in sixteen size classes, cut from slabs and reused; longer ones come from the heap.
class BufferPool {
 public:
  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  [[nodiscard]] char* take(std::size_t size_bytes, std::uint8_t& size_class);
  void give_back(char* block, std::uint8_t size_class) noexcept;
  /// Bytes in blocks that are in use, without those from the heap.
  [[nodiscard]] std::size_t bytes_used() const noexcept { return bytes_used_; }

 private:
  static constexpr std::size_t class_bytes[] = {32,  48,  64,   96,   128,  192,  256,  384,
                                                512, 768, 1024, 1536, 2048, 3072, 4096, 6144};
  static constexpr std::size_t classes = std::size(class_bytes);
  static constexpr std::uint8_t heap_class = 0xff;
  static constexpr std::size_t slab_bytes = 256 * 1024;
#if defined(__SANITIZE_ADDRESS__)
  static constexpr bool is_pooling = false;  // so that the sanitizer sees the end of every block
#else
  static constexpr bool is_pooling = true;
#endif

  char* free_[classes] = {};
  std::vector<std::unique_ptr<char[]>> slabs_;
  std::size_t left_bytes_ = 0;
  std::size_t bytes_used_ = 0;
};

inline char* BufferPool::take(std::size_t size_bytes, std::uint8_t& size_class) {
  if (is_pooling && size_bytes <= class_bytes[classes - 1]) {
    std::size_t i = 0;
    while (class_bytes[i] < size_bytes)
      ++i;
    size_class = static_cast<std::uint8_t>(i);
    bytes_used_ += class_bytes[i];
    if (char* block = free_[i]) {
      std::memcpy(&free_[i], block, sizeof(char*));
      return block;
    }
    if (left_bytes_ < class_bytes[i]) {
      slabs_.emplace_back(new char[slab_bytes]);
      left_bytes_ = slab_bytes;
    }
    char* block = slabs_.back().get() + (slab_bytes - left_bytes_);
    left_bytes_ -= class_bytes[i];
    return block;
  }
  size_class = heap_class;
  return static_cast<char*>(::operator new(size_bytes));
}

inline void BufferPool::give_back(char* block, std::uint8_t size_class) noexcept {
  if (size_class == heap_class) {
    ::operator delete(block);
    return;
  }
  bytes_used_ -= class_bytes[size_class];
  std::memcpy(block, &free_[size_class], sizeof(char*));
  free_[size_class] = block;
}

/// A string in a BufferPool. Threading: loop-bound, like its pool, which must outlive it.
class Bytes {
 public:
  Bytes() = default;
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  Bytes(Bytes&& other) noexcept { swap(other); }
  Bytes& operator=(Bytes&& other) noexcept {
    if (this != &other) {
      clear();
      swap(other);
    }
    return *this;
  }
  ~Bytes() { clear(); }

  /// `text` must not lie in this block.
  void assign(BufferPool& pool, std::string_view text) {
    clear();
    if (text.empty()) return;
    data_ = pool.take(text.size(), size_class_);
    std::memcpy(data_, text.data(), text.size());
    size_ = static_cast<std::uint32_t>(text.size());
    pool_ = &pool;
  }
  void clear() noexcept {
    if (data_ != nullptr) pool_->give_back(data_, size_class_);
    data_ = nullptr;
    size_ = 0;
  }
  [[nodiscard]] std::string_view view() const noexcept { return {data_, size_}; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

 private:
  void swap(Bytes& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(pool_, other.pool_);
    std::swap(size_, other.size_);
    std::swap(size_class_, other.size_class_);
  }
  char* data_ = nullptr;
  BufferPool* pool_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint8_t size_class_ = 0;
};

}  // namespace tandem::sip
