// Which build a test runs in: under a sanitizer, some ten times slower and single accesses to
// memory up to thirty times, what is exhaustive takes samples.
#pragma once

namespace tandem::checked_build {

#if defined(__SANITIZE_THREAD__)
constexpr bool has_thread_sanitizer = true;
#else
constexpr bool has_thread_sanitizer = false;
#endif

#if defined(__SANITIZE_ADDRESS__)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = has_thread_sanitizer;
#endif

}  // namespace tandem::checked_build
