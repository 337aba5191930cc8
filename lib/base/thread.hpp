// Threads of the library: named, deaf to the host's signals.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <thread>
#include <utility>

namespace tandem {

/// Starts a thread on which every signal is blocked, so that the host's handlers run on the host's
/// threads (design rule 10). `name`: at most 15 characters are kept.
template <class F>
std::thread start_thread(const char* name, F body) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  char kept[16] = {};
  for (int i = 0; i < 15 && name[i] != '\0'; ++i)
    kept[i] = name[i];
  pthread_setname_np(thread.native_handle(), kept);
  return thread;
}

}  // namespace tandem
