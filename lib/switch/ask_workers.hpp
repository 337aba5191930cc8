// How questions reach the workers of a switch: on their loops, answered by all of them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "switch/body.hpp"

namespace tandem {

template <class Question>
auto Switch::Body::ask_workers(Question question)
    -> std::vector<std::invoke_result_t<Question&, call::Worker&>> {
  return ask_seats(0, seats_.size(), std::move(question));
}

/// That of the call `id`; none: no worker has such calls.
template <class Question>
auto Switch::Body::ask_worker_of(std::uint64_t id, Question question)
    -> std::vector<std::invoke_result_t<Question&, call::Worker&>> {
  const std::size_t index = id >> call::call_id_worker_shift;
  return ask_seats(index, index < seats_.size() ? 1 : 0, std::move(question));
}

template <class Question>
auto Switch::Body::ask_seats(std::size_t first, std::size_t count, Question question)
    -> std::vector<std::invoke_result_t<Question&, call::Worker&>> {
  using Reply = std::invoke_result_t<Question&, call::Worker&>;
  std::vector<Reply> replies;
  std::unique_lock workers_lock(workers_mutex_);
  if (life_ == Life::closed) return replies;
  if (is_simulated() || life_ == Life::created) {  // the loops run on this thread or on none
    workers_lock.unlock();
    for (std::size_t i = first; i < first + count; ++i)
      replies.push_back(question(*seats_[i].worker));
    return replies;
  }
  // Lives as long as the last worker needs it: one that is late still does what was asked.
  struct Asked {
    explicit Asked(Question what) : question(std::move(what)) {}
    Question question;
    std::mutex mutex;  // guards what follows, and is never held while a worker works
    std::condition_variable has_reply;
    std::size_t left = 0;
    std::vector<Reply> replies;
  };
  const auto asked = std::make_shared<Asked>(std::move(question));
  asked->left = count;
  for (std::size_t i = first; i < first + count; ++i) {
    Seat& seat = seats_[i];
    const auto posted = seat.loop->post([asked, worker = seat.worker.get()] {
      Reply reply = asked->question(*worker);
      const std::lock_guard lock(asked->mutex);
      asked->replies.push_back(std::move(reply));
      --asked->left;
      asked->has_reply.notify_all();
    });
    if (posted) continue;
    const std::lock_guard lock(asked->mutex);
    --asked->left;
  }
  workers_lock.unlock();
  std::unique_lock lock(asked->mutex);
  asked->has_reply.wait_for(lock, std::chrono::seconds(5), [&] { return asked->left == 0; });
  replies.swap(asked->replies);
  return replies;
}

}  // namespace tandem
