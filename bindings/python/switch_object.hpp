// A switch with the queues through which it talks to Python.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "binding.hpp"
#include "tandem/admin.hpp"
#include "tandem/switch.hpp"

namespace binding {

/// to_json() of each.
template <class Item>
std::vector<std::string> json_texts(const std::vector<Item>& items) {
  std::vector<std::string> texts;
  texts.reserve(items.size());
  for (const Item& item : items)
    texts.push_back(to_json(item));
  return texts;
}

/// A bounded queue that threads of C++ fill without the interpreter lock; newer items are dropped
/// and counted when it is full. A descriptor becomes readable when there is something to take.
template <class Item>
class Mailbox {
 public:
  explicit Mailbox(std::size_t items_max);
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void push(Item item);
  std::vector<Item> take_all();
  /// Waits for one; nothing: closed.
  std::optional<Item> wait();
  void close();
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  mutable std::mutex mutex_;  // guards the members below it
  std::condition_variable changed_;
  std::deque<Item> items_;
  std::uint64_t dropped_ = 0;
  bool is_closed_ = false;
  const std::size_t items_max_;
  const int descriptor_;
};

struct SwitchOptions {
  std::size_t event_queue_max = 65'536;
  std::optional<std::string> log_level;  ///< Nothing: no log.
  bool has_policy = false;
  std::int64_t policy_deadline_us = 500'000;
  tandem::PolicyAnswer policy_default;
  bool has_lrn = false;
  std::vector<py::object> cdr_sinks;
};

/// The configuration of a reading without errors; throws the first of them.
tandem::SwitchConfig usable(const tandem::ConfigReading& reading);

class SwitchObject final : public Live {
 public:
  explicit SwitchObject(const SwitchOptions& options);
  ~SwitchObject() override;

  /// What to give to Switch::create(); `policy` and `lrn`: asked at once, for simulated worlds;
  /// else the mailboxes are.
  tandem::SwitchHooks hooks(std::function<void(const tandem::PolicyQuestion&)> policy = {},
                            std::function<void(const tandem::LrnQuestion&)> lrn = {}) const;
  void adopt(std::unique_ptr<tandem::Switch> body) {
    box_ = std::make_shared<Box>(Box{std::move(body)});
  }
  /// For World::crash(), on the only thread of a world.
  std::unique_ptr<tandem::Switch> release();

  /// Kept by the caller while it uses it without the interpreter lock: another thread may close().
  /// Throws wrong_state after that.
  std::shared_ptr<tandem::Switch> open() const;
  void close();
  void close_at_exit() override { close(); }

  const SwitchOptions options;
  const std::shared_ptr<Mailbox<tandem::Event>> events;
  const std::shared_ptr<Mailbox<tandem::PolicyQuestion>> questions;
  const std::shared_ptr<Mailbox<tandem::LrnQuestion>> lrn_questions;
  const std::shared_ptr<Mailbox<std::string>> log;

 private:
  struct Box {
    std::unique_ptr<tandem::Switch> body;
  };
  std::shared_ptr<Box> box_;
};

}  // namespace binding
