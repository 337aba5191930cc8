// Work in independent pieces, on several threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/thread.hpp"

namespace tandem {

/// Calls `body(i)` once for each i below `count`, on the calling thread and at most `threads_max` -
/// 1 others, and returns when all of that is done. Pieces are begun in order. When one throws, no
/// further one is begun and the first exception comes out of here. `name`: of the threads.
template <class Body>
void for_each_piece(std::size_t count, unsigned threads_max, const char* name, Body&& body) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;  // guards `thrown`
  std::exception_ptr thrown;
  const auto work = [&] {
    for (std::size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
      try {
        body(i);
      } catch (...) {
        next.store(count);
        const std::lock_guard lock(mutex);
        if (!thrown) thrown = std::current_exception();
      }
    }
  };
  std::vector<std::thread> threads;
  try {
    for (unsigned i = 1; i < threads_max && i < count; ++i)
      threads.push_back(start_thread(name, work));
  } catch (const std::system_error&) {
    // The threads that there are do it, if need be this one alone.
  }
  work();
  for (std::thread& thread : threads)
    thread.join();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace tandem
