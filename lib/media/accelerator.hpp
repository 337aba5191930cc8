// What may carry plain streams past the sockets' path.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "media/flow.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::media {

/// A session that was found running, of a process that is no more.
struct FoundSession {
  std::uint32_t slot[2] = {0, 0};  ///< RTP ports towards caller and callee.
};

/// Carries the packets of streams that need nothing but forwarding, below the sockets. All else,
/// and all of a stream that is taken back, goes through FlowTable::judge() as without it; which of
/// the two carries a packet makes no difference to what is counted.
///
/// `slot`: of the RTP port that a stream arrives at. Threading: begin() before the others; then
/// thread-safe: per slot a lock guards the flow's record against the one who adds to it here.
class FlowAccelerator {
 public:
  virtual ~FlowAccelerator() = default;

  virtual void begin(FlowTable& flows) = 0;
  /// What a former process left, once. The flows of each have to be open when resume() is called.
  virtual std::vector<FoundSession> found() = 0;
  virtual void resume(const FoundSession& session) = 0;
  virtual void forget(const FoundSession& session) = 0;  ///< It cannot be kept.

  /// Keeps everybody else from the record of `slot`.
  virtual void lock(std::uint32_t slot) noexcept = 0;
  virtual void unlock(std::uint32_t slot) noexcept = 0;
  /// Adds what was carried to the record. Under the lock.
  virtual void add_carried(std::uint32_t slot) noexcept = 0;

  /// The shard has judged a packet that came to `slot` and sends it next. Under the lock.
  virtual void note_judged(std::uint32_t slot) noexcept = 0;
  /// That packet is sent, or is not to be: from now on its stream may be carried, or
  /// no more. Without the lock.
  virtual void reconsider(std::uint32_t slot, std::int64_t now_us) noexcept = 0;
  /// Its next packet goes through the sockets. Any thread, without the lock.
  virtual void take_back(std::uint32_t slot) noexcept = 0;

  virtual void add_stats(MediaRelayStats& stats) const noexcept = 0;
  [[nodiscard]] virtual std::string how() const = 0;
  virtual void stop() noexcept = 0;  ///< Carries nothing any more and leaves nothing behind.
};

/// The lock of a slot.
class FlowGuard {
 public:
  FlowGuard(FlowAccelerator& of, std::uint32_t slot) noexcept : of_(of), slot_(slot) {
    of_.lock(slot_);
  }
  ~FlowGuard() { of_.unlock(slot_); }
  FlowGuard(const FlowGuard&) = delete;
  FlowGuard& operator=(const FlowGuard&) = delete;

 private:
  FlowAccelerator& of_;
  const std::uint32_t slot_;
};

}  // namespace tandem::media
