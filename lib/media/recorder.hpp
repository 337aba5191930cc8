// The writer of recordings: on a thread of its own, or on a loop in a simulation.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "io/loop.hpp"
#include "media/recorded_voice.hpp"
#include "media/recording_files.hpp"
#include "media/stereo.hpp"
#include "tandem/clock.hpp"
#include "tandem/media_recorder.hpp"

namespace tandem::media {

/// A recorder that writes on `loop`, every turn_us of its time while there is something to record.
/// Loop-bound, as make_loop_relay() is. Errors: as MediaRecorder::create().
Result<MediaRecorder> make_loop_recorder(const RecorderConfig& config, io::Loop& loop);
/// The same on a file system of the caller's.
Result<MediaRecorder> make_loop_recorder(const RecorderConfig& config, io::Loop& loop,
                                         std::unique_ptr<RecordingFiles> files);

/// Checks the fields of `config`. Errors: invalid_argument.
Result<void> check(const RecorderConfig& config);

/// What the owner of a recording and its writer share.
class Recording {
 public:
  Recording(std::string name_of_file, std::int64_t begins_us);
  ~Recording() { tap.end(); }  // else the relay copies for nobody, and the session stays tapped
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  /// Waiting for the first audio; then there will be a file, or it was stopped and there will not.
  enum class State : std::uint8_t { waiting, begun, abandoned, over };
  /// waiting -> `next`. False: it was not waiting.
  bool leave_waiting(State next) noexcept {
    State waiting = State::waiting;
    return state.compare_exchange_strong(waiting, next);
  }
  /// For the writer's next turn. Any thread. `payload_type` 0..127.
  void set_payload(MediaSide side, std::uint8_t payload_type,
                   std::shared_ptr<const AudioCodec> codec);
  /// Puts what was set into `voices`. The writer's.
  void take_payloads();

  /// There will be no more of it. The writer's.
  void be_over() noexcept {
    file.reset();
    tap.end();
    state.store(State::over);
  }
  /// The file when it is decided that there is one, which whoever left `waiting` decided.
  [[nodiscard]] std::string file_name() const {
    const State now = state.load();
    return now == State::begun || (now == State::over && has_file.load()) ? name : std::string();
  }

  std::atomic<State> state{State::waiting};
  std::atomic<bool> has_file{false};  // was begun; set before over

  // The writer's alone, but for `name`, which stands once the state is begun, and `tap`'s end.
  std::string name;
  MediaTap tap;
  std::array<RecordedVoice, 2> voices;  // by MediaSide
  StereoTrack track;
  std::unique_ptr<RecordingFile> file;
  std::uint64_t data_bytes = 0;
  std::uint64_t header_bytes = 0;  // what the header says of data_bytes
  std::int64_t header_us = 0;
  std::uint64_t dropped = 0;  // as far as it was counted

 private:
  struct Payload {
    MediaSide side = MediaSide::caller;
    std::uint8_t type = 0;
    std::shared_ptr<const AudioCodec> codec;
  };
  std::atomic<bool> has_payloads_{false};
  std::mutex payloads_mutex_;      // guards payloads_
  std::vector<Payload> payloads_;  // each type of a side once
};

/// All but who calls turn().
class RecorderCore : public std::enable_shared_from_this<RecorderCore> {
 public:
  static constexpr std::int64_t turn_us = 100'000;

  RecorderCore(const RecorderConfig& config, const Clock& clock,
               std::unique_ptr<RecordingFiles> files);
  virtual ~RecorderCore();
  RecorderCore(const RecorderCore&) = delete;
  RecorderCore& operator=(const RecorderCore&) = delete;

  Result<MediaRecording> record(MediaSession& session, std::string_view name);
  [[nodiscard]] RecorderStats stats() const noexcept;
  /// Completes all files and ends the thread. Called once, by MediaRecorder's destructor.
  virtual void stop() noexcept = 0;

 protected:
  /// Writes what came. `is_last`: and completes every file. False: nothing is recorded.
  bool turn(bool is_last) noexcept;
  virtual void on_work() noexcept {}  ///< There is something to record, from any thread.

 private:
  [[nodiscard]] bool admit() noexcept;
  void write(Recording& recording, std::int64_t now_us);
  Result<void> append(Recording& recording, std::string_view bytes);
  Result<void> write_header(Recording& recording, std::int64_t now_us);
  Result<void> begin(Recording& recording);
  void complete(Recording& recording) noexcept;
  void fail(Recording& recording, const Error& error, std::atomic<std::uint64_t>& count) noexcept;
  [[nodiscard]] bool has_space() noexcept;

  const RecorderConfig config_;
  const Clock& clock_;
  const std::unique_ptr<RecordingFiles> files_;
  std::atomic<bool> is_short_of_space_{false};
  std::int64_t space_seen_us_ = 0;  // the writer's
  std::string bytes_;               // the writer's, kept for its memory
  TappedPacket packet_;             // the same

  std::mutex mutex_;  // guards arriving_
  std::vector<std::shared_ptr<Recording>> arriving_;
  std::vector<std::shared_ptr<Recording>> running_;  // the writer's
  std::atomic<std::uint64_t> recordings_{0}, files_written_{0}, refused_{0}, without_audio_{0},
      failed_{0}, cut_short_{0}, bytes_written_{0}, packets_dropped_{0}, packets_skipped_{0},
      packets_late_{0};
};

}  // namespace tandem::media
