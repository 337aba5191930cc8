// libre and librem, included in this one place, and ownership of their objects.
#pragma once

// The packaged headers need HAVE_INTTYPES_H and HAVE_STDBOOL_H to find their own types, and
// HAVE_INET6 because the library is built with it: without it `struct sa` has another size here
// than there, and every call that takes one corrupts the stack. The build sets all three
// (cmake/FindLibre.cmake); this turns a build that forgot into an error.
#if !defined(HAVE_INTTYPES_H) || !defined(HAVE_STDBOOL_H) || !defined(HAVE_INET6)
#error "libre needs HAVE_INTTYPES_H, HAVE_STDBOOL_H and HAVE_INET6; link with tandem_libre"
#endif

// Neither header has the guards that C++ needs.
extern "C" {
#include <re.h>
#include <rem.h>
}

#include <utility>

namespace tandem::io {

/// Owns one reference to an object of libre.
///
/// Threading: loop-bound. Counts of libre 1.x are plain integers and destructors touch sockets and
/// timers, so a Ref lives and dies on the thread that made its object; elsewhere keep an id and use
/// Loop::post().
template <class T>
class Ref {
 public:
  Ref() noexcept = default;
  /// Takes over a reference that libre handed out.
  static Ref adopt(T* object) noexcept { return Ref(object); }
  /// Adds a reference to an object that somebody else owns.
  static Ref share(T* object) noexcept { return Ref(static_cast<T*>(mem_ref(object))); }

  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref&& other) noexcept {
    if (this != &other) reset(std::exchange(other.object_, nullptr));
    return *this;
  }
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  ~Ref() { mem_deref(object_); }

  [[nodiscard]] T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

  void reset(T* object = nullptr) noexcept { mem_deref(std::exchange(object_, object)); }
  /// For functions of libre that give an object through `T**`: drops the present one first.
  [[nodiscard]] T** out() noexcept {
    reset();
    return &object_;
  }

 private:
  explicit Ref(T* object) noexcept : object_(object) {}
  T* object_ = nullptr;
};

}  // namespace tandem::io
