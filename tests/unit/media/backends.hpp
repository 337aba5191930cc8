// The backends of the relay that have real sockets, for tests that hold for each of them.
#pragma once

#include <doctest/doctest.h>

#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "media/backend.hpp"
#include "media/fast/fast.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::media {

struct Portable {
  static constexpr const char* name = "portable";
  static std::optional<std::string> why_not() { return std::nullopt; }
  static auto start(const MediaConfig& config) { return start_portable(config); }
};

struct Uring {
  static constexpr const char* name = "fast by io_uring";
  static std::optional<std::string> why_not() { return why_not_uring(); }
  static auto start(const MediaConfig& config) { return start_uring(config); }
};

struct Steered {
  static constexpr const char* name = "fast by sk_lookup";
  static std::optional<std::string> why_not() { return why_not_steered(); }
  static auto start(const MediaConfig& config) { return start_steered(config); }
};

/// Whether tests of `Backend` can run here. Says once why they cannot.
template <class Backend>
bool is_usable() {
  static const bool is_usable = [] {
    const std::optional<std::string> reason = Backend::why_not();
    if (reason) std::printf("not run: relay tests of %s: %s\n", Backend::name, reason->c_str());
    return !reason;
  }();
  return is_usable;
}

template <class Backend>
Result<MediaRelay> create(const MediaConfig& config) {
  if (Result<void> checked = check(config); !checked) return std::move(checked).error();
  auto core = Backend::start(config);
  if (!core) return std::move(core).error();
  return MediaRelay(std::move(*core));
}

}  // namespace tandem::media

TYPE_TO_STRING(tandem::media::Portable);
TYPE_TO_STRING(tandem::media::Uring);
TYPE_TO_STRING(tandem::media::Steered);

#define TANDEM_SOCKET_BACKENDS tandem::media::Portable, tandem::media::Uring
#define TANDEM_RELAY_BACKENDS TANDEM_SOCKET_BACKENDS, tandem::media::Steered
