// Threads of the library: named, deaf to the host's signals.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace tandem {

/// Starts a thread on which every signal is blocked, so that the host's handlers run on the host's
/// threads (docs/threading.md). `name`: at most 15 bytes are kept. Throws std::system_error when
/// the system refuses a thread.
template <class F>
std::thread start_thread(const char* name, F body) {
  struct SignalsBlocked {  // the new thread inherits the full mask
    SignalsBlocked() noexcept {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, &before);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
    sigset_t before;
  } blocked;
  std::thread thread(std::move(body));
  const std::string kept(std::string_view(name).substr(0, 15));  // more is an error of the system
  pthread_setname_np(thread.native_handle(), kept.c_str());
  return thread;
}

}  // namespace tandem
