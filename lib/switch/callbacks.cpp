#include "switch/callbacks.hpp"

#include <exception>
#include <memory>
#include <vector>

#include "base/thread.hpp"

namespace tandem {

Callbacks::Callbacks(const SwitchHooks& hooks, io::Loop* loop, Log& log)
    : hooks_(hooks), loop_(loop), log_(log), queue_(hooks.event_queue_max) {
  if (loop_ == nullptr && (hooks_.on_event || hooks_.on_policy || hooks_.on_lrn)) {
    thread_ = start_thread("tandem-callback", [this] { run(); });
  }
}

Callbacks::~Callbacks() { close(); }

bool Callbacks::push(Event event) noexcept { return push_item(Item(std::move(event))); }

bool Callbacks::push(PolicyQuestion question) noexcept {
  return push_item(Item(std::move(question)));
}

bool Callbacks::push(LrnQuestion question) noexcept { return push_item(Item(std::move(question))); }

bool Callbacks::push_item(Item item) noexcept {
  bool taken = false;
  try {
    if (loop_ == nullptr) {
      taken = queue_.try_push(std::move(item));
    } else if (!is_closed_.load()) {
      taken =
          loop_
              ->post([this, shared = std::make_shared<Item>(std::move(item))] { deliver(*shared); })
              .ok();
    }
  } catch (const std::exception&) {  // no memory for the queue
  }
  if (!taken) dropped_.fetch_add(1, std::memory_order_relaxed);
  return taken;
}

void Callbacks::deliver(const Item& item) noexcept {
  if (is_closed_.load() && loop_ != nullptr) return;
  try {
    if (const auto* event = std::get_if<Event>(&item)) {
      if (hooks_.on_event) hooks_.on_event(*event);
    } else if (const auto* number = std::get_if<LrnQuestion>(&item)) {
      if (hooks_.on_lrn) hooks_.on_lrn(*number);
    } else if (hooks_.on_policy) {
      hooks_.on_policy(std::get<PolicyQuestion>(item));
    }
  } catch (const std::exception& thrown) {
    log_.write(LogLevel::error, "switch", "host callback threw", {{"what", thrown.what()}});
  } catch (...) {
    log_.write(LogLevel::error, "switch", "host callback threw",
               {{"what", "not a std::exception"}});
  }
}

void Callbacks::run() {
  std::vector<Item> items;
  while (queue_.pop_all(items)) {
    for (const Item& item : items)
      deliver(item);
    items.clear();
  }
}

void Callbacks::close() {
  if (is_closed_.exchange(true)) return;
  queue_.close();
  if (thread_.joinable()) thread_.join();
}

}  // namespace tandem
