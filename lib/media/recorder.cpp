#include "media/recorder.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>

#include "base/thread.hpp"
#include "base/timer_wheel.hpp"

namespace tandem::media {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::int64_t second_us = 1'000'000;

Error out_of_range(const char* name, std::uint64_t value, std::uint64_t lowest,
                   std::uint64_t highest) {
  return Error{ErrorCode::invalid_argument, std::string(name) + " " + std::to_string(value) +
                                                " was not in " + std::to_string(lowest) + ".." +
                                                std::to_string(highest)};
}

/// A name that stays below the folder and that every file system takes.
Result<void> check_name(std::string_view name) {
  constexpr std::size_t name_bytes_max = 200;
  const auto refused = [&](const char* why) {
    return Error{ErrorCode::invalid_argument,
                 "recording name \"" + std::string(name.substr(0, name_bytes_max)) + "\" " + why};
  };
  if (name.empty() || name.size() > name_bytes_max) return refused("was not of 1..200 bytes");
  std::string_view rest = name;
  for (;;) {
    const std::string_view part = rest.substr(0, rest.find('/'));
    if (part.empty() || part.front() == '.')
      return refused("had a part that is empty or begins with a dot");
    if (part.size() == rest.size()) break;
    rest.remove_prefix(part.size() + 1);
  }
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\\')
      return refused("had a control character or a backslash");
  }
  return {};
}

}  // namespace

Result<void> check(const RecorderConfig& config) {
  if (config.folder.empty())
    return Error{ErrorCode::invalid_argument, "no folder for recordings was given"};
  constexpr std::uint64_t file_bytes_lowest = 64U << 10, file_bytes_highest = 0xFFFF0000;
  if (config.file_bytes_max < file_bytes_lowest || config.file_bytes_max > file_bytes_highest)
    return out_of_range("file_bytes_max", config.file_bytes_max, file_bytes_lowest,
                        file_bytes_highest);
  if (config.recordings_max < 1 || config.recordings_max > 100'000)
    return out_of_range("recordings_max", config.recordings_max, 1, 100'000);
  if (config.buffer_bytes < 4096 || config.buffer_bytes > (16U << 20))
    return out_of_range("buffer_bytes", config.buffer_bytes, 4096, 16U << 20);
  return {};
}

Recording::Recording(std::string name_of_file, std::int64_t begins_us)
    : name(std::move(name_of_file)), track(begins_us) {}

void Recording::set_payload(MediaSide side, std::uint8_t payload_type,
                            std::shared_ptr<const AudioCodec> codec) {
  const std::lock_guard lock(payloads_mutex_);
  const auto known = std::find_if(payloads_.begin(), payloads_.end(), [&](const Payload& one) {
    return one.side == side && one.type == payload_type;
  });
  if (known != payloads_.end()) {
    known->codec = std::move(codec);
  } else {
    payloads_.push_back({side, payload_type, std::move(codec)});
  }
  has_payloads_.store(true, std::memory_order_release);
}

void Recording::take_payloads() {
  if (!has_payloads_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(payloads_mutex_);
  for (Payload& one : payloads_)
    voices[static_cast<std::size_t>(one.side)].set(one.type, std::move(one.codec));
  payloads_.clear();
  has_payloads_.store(false, relaxed);
}

RecorderCore::RecorderCore(const RecorderConfig& config, const Clock& clock,
                           std::unique_ptr<RecordingFiles> files)
    : config_(config), clock_(clock), files_(std::move(files)) {
  (void)has_space();  // so that the first record() knows
}

RecorderCore::~RecorderCore() = default;

bool RecorderCore::has_space() noexcept {
  if (config_.free_bytes_min == 0) return true;
  const std::int64_t now_us = clock_.monotonic_us();
  if (space_seen_us_ == 0 || now_us - space_seen_us_ >= second_us) {
    space_seen_us_ = std::max<std::int64_t>(now_us, 1);
    const auto bytes = files_->free_bytes(config_.folder);
    is_short_of_space_.store(!bytes || *bytes < config_.free_bytes_min, relaxed);
  }
  return !is_short_of_space_.load(relaxed);
}

Result<MediaRecording> RecorderCore::record(MediaSession& session, std::string_view name) {
  const auto refused = [this](Error error) {
    refused_.fetch_add(1, relaxed);
    return error;
  };
  if (auto checked = check_name(name); !checked) return refused(std::move(checked).error());
  // Its place is taken before it is looked whether there was one: workers come at once.
  struct Place {
    explicit Place(std::atomic<std::uint64_t>& all) noexcept
        : all_(all), taken_before(all.fetch_add(1, relaxed)) {}
    ~Place() {
      if (!is_kept) all_.fetch_sub(1, relaxed);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    std::atomic<std::uint64_t>& all_;
    const std::uint64_t taken_before;
    bool is_kept = false;
  } place(recordings_);
  if (place.taken_before >= config_.recordings_max)
    return refused({ErrorCode::limit, "the limit of " + std::to_string(config_.recordings_max) +
                                          " recordings at once was reached"});
  if (is_short_of_space_.load(relaxed)) {
    on_work();  // so that the writer looks again, though it has nothing to write
    return refused({ErrorCode::limit, "\"" + config_.folder + "\" has less than " +
                                          std::to_string(config_.free_bytes_min) + " bytes free"});
  }
  auto recording = std::make_shared<Recording>(std::string(name), clock_.monotonic_us());
  auto tap = session.tap(config_.buffer_bytes);
  if (!tap) return refused(std::move(tap).error());
  recording->tap = std::move(*tap);
  {
    const std::lock_guard lock(mutex_);
    arriving_.push_back(recording);
  }
  place.is_kept = true;
  on_work();
  return MediaRecording(std::move(recording));
}

RecorderStats RecorderCore::stats() const noexcept {
  RecorderStats stats;
  stats.recordings = recordings_.load(relaxed);
  stats.files_written = files_written_.load(relaxed);
  stats.refused = refused_.load(relaxed);
  stats.without_audio = without_audio_.load(relaxed);
  stats.failed = failed_.load(relaxed);
  stats.cut_short = cut_short_.load(relaxed);
  stats.bytes_written = bytes_written_.load(relaxed);
  stats.packets_dropped = packets_dropped_.load(relaxed);
  stats.packets_skipped = packets_skipped_.load(relaxed);
  stats.packets_late = packets_late_.load(relaxed);
  return stats;
}

bool RecorderCore::admit() noexcept {
  const std::lock_guard lock(mutex_);
  try {
    running_.reserve(running_.size() + arriving_.size());
  } catch (const std::exception&) {  // bad_alloc: they wait, their taps drop what is too much
    return false;
  }
  std::move(arriving_.begin(), arriving_.end(), std::back_inserter(running_));
  arriving_.clear();
  return true;
}

bool RecorderCore::turn(bool is_last) noexcept {
  const bool are_all_here = admit();
  (void)has_space();  // a full disk may have room again, whatever runs
  if (running_.empty()) return (!are_all_here || is_short_of_space_.load(relaxed)) && !is_last;
  const std::int64_t now_us = clock_.monotonic_us();
  for (const auto& recording : running_) {
    // Read before the packets: what was put before the end is among them.
    const bool ends = is_last || recording->tap.is_over();
    try {
      write(*recording, now_us);
    } catch (const std::exception& error) {  // bad_alloc
      fail(*recording, {ErrorCode::internal, error.what()}, failed_);
    }
    if (ends && recording->state.load() != Recording::State::over) complete(*recording);
  }
  const auto is_over = [](const auto& recording) {
    return recording->state.load() == Recording::State::over;
  };
  const auto over = std::remove_if(running_.begin(), running_.end(), is_over);
  recordings_.fetch_sub(static_cast<std::uint64_t>(running_.end() - over), relaxed);
  running_.erase(over, running_.end());
  return !running_.empty() || !are_all_here;
}

void RecorderCore::write(Recording& recording, std::int64_t now_us) {
  bytes_.clear();
  recording.take_payloads();
  while (recording.tap.take(packet_)) {
    const auto header = parse_rtp(packet_.bytes);
    if (!header) continue;  // the relay took it for RTP
    recording.track.flush(packet_.at_us, bytes_);
    RecordedVoice& voice = recording.voices[static_cast<std::size_t>(packet_.side)];
    const std::span<const std::int16_t> samples =
        voice.decode(*header, rtp_payload(packet_.bytes, *header));
    switch (recording.track.put(packet_.side, packet_.at_us, *header, samples, voice.units())) {
      case StereoTrack::Fate::skipped:
        packets_skipped_.fetch_add(1, relaxed);
        continue;
      case StereoTrack::Fate::late:
        packets_late_.fetch_add(1, relaxed);
        continue;
      case StereoTrack::Fate::taken:
        break;
    }
    if (recording.state.load() == Recording::State::waiting) {
      if (auto begun = begin(recording); !begun) return fail(recording, begun.error(), failed_);
    }
  }
  if (const std::uint64_t dropped = recording.tap.dropped(); dropped != recording.dropped) {
    packets_dropped_.fetch_add(dropped - recording.dropped, relaxed);
    recording.dropped = dropped;
  }
  if (recording.file == nullptr) {
    if (recording.state.load() != Recording::State::waiting) return;
    // Silence before the first audio is part of the recording, and there is no file for it yet: it
    // becomes a hole in it.
    recording.track.flush(now_us, bytes_);
    recording.data_bytes += bytes_.size();
    if (recording.data_bytes + wav_header_bytes > config_.file_bytes_max) {
      recording.data_bytes = 0;
      without_audio_.fetch_add(1, relaxed);
      recording.be_over();
    }
    return;
  }
  recording.track.flush(now_us, bytes_);
  if (auto appended = append(recording, bytes_); !appended)
    return fail(recording, appended.error(), failed_);
  if (now_us - recording.header_us >= second_us) {
    if (auto written = write_header(recording, now_us); !written)
      return fail(recording, written.error(), failed_);
    if (!has_space())
      return fail(recording,
                  {ErrorCode::limit,
                   "free space went below " + std::to_string(config_.free_bytes_min) + " bytes"},
                  cut_short_);
  }
}

Result<void> RecorderCore::begin(Recording& recording) {
  constexpr int names_max = 99;
  Result<std::unique_ptr<RecordingFile>> file = Error{ErrorCode::internal, ""};
  std::string name;
  for (int i = 1; i <= names_max; ++i) {
    name = recording.name + (i == 1 ? "" : "-" + std::to_string(i)) + ".wav";
    file = files_->make(config_.folder, name);
    if (file || file.error().code != ErrorCode::already_exists) break;
  }
  if (!file) return std::move(file).error();
  // Making it may take long. Whoever stops the recording asks for the file then, and is told of
  // none unless there is one already: one that came too late goes.
  recording.name.swap(name);
  if (!recording.leave_waiting(Recording::State::begun)) {
    file->reset();
    files_->remove(config_.folder, recording.name);
    return {};
  }
  recording.file = std::move(*file);
  recording.has_file.store(true);
  return write_header(recording, clock_.monotonic_us());
}

Result<void> RecorderCore::append(Recording& recording, std::string_view bytes) {
  if (bytes.empty()) return {};
  const std::uint64_t taken = wav_header_bytes + recording.data_bytes;
  const std::uint64_t room = config_.file_bytes_max > taken ? config_.file_bytes_max - taken : 0;
  const bool is_full = bytes.size() > room;
  if (is_full) bytes = bytes.substr(0, room / 4 * 4);
  if (auto written = recording.file->write_at(wav_header_bytes + recording.data_bytes, bytes);
      !written)
    return written;
  recording.data_bytes += bytes.size();
  bytes_written_.fetch_add(bytes.size(), relaxed);
  if (is_full)
    fail(recording,
         {ErrorCode::limit,
          "the recording reached " + std::to_string(config_.file_bytes_max) + " bytes"},
         cut_short_);
  return {};
}

Result<void> RecorderCore::write_header(Recording& recording, std::int64_t now_us) {
  if (recording.file == nullptr) return {};
  recording.header_us = now_us;
  if (recording.header_bytes != 0 && recording.header_bytes == recording.data_bytes) return {};
  const std::string header = wav_header(static_cast<std::uint32_t>(recording.data_bytes));
  if (auto written = recording.file->write_at(0, header); !written) return written;
  if (recording.header_bytes == 0) bytes_written_.fetch_add(header.size(), relaxed);
  recording.header_bytes = recording.data_bytes;
  return {};
}

void RecorderCore::complete(Recording& recording) noexcept {
  try {
    if (recording.file == nullptr) {
      if (recording.leave_waiting(Recording::State::abandoned) ||
          recording.state.load() == Recording::State::abandoned)
        without_audio_.fetch_add(1, relaxed);
    } else {
      bytes_.clear();
      recording.track.finish(bytes_);
      Result<void> written = append(recording, bytes_);
      if (written) written = write_header(recording, clock_.monotonic_us());
      if (!written) return fail(recording, written.error(), failed_);
      if (recording.state.load() == Recording::State::over) return;
      files_written_.fetch_add(1, relaxed);
    }
  } catch (const std::exception& error) {  // bad_alloc
    return fail(recording, {ErrorCode::internal, error.what()}, failed_);
  }
  recording.be_over();
}

void RecorderCore::fail(Recording& recording, const Error& error,
                        std::atomic<std::uint64_t>& count) noexcept {
  if (recording.state.load() == Recording::State::over) return;
  count.fetch_add(1, relaxed);
  // What is there shall play.
  if (recording.file != nullptr) (void)write_header(recording, 0);
  recording.be_over();
  try {
    if (config_.on_failure) config_.on_failure(recording.name, error);
  } catch (...) {  // the host's
  }
}

namespace {

class ThreadRecorder final : public RecorderCore {
 public:
  ThreadRecorder(const RecorderConfig& config, std::unique_ptr<RecordingFiles> files)
      : RecorderCore(config, system_clock_, std::move(files)) {}
  ~ThreadRecorder() override { ThreadRecorder::stop(); }

  Result<void> start() {
    try {
      thread_ = start_thread("tandem-record", [this] { run(); });
    } catch (const std::system_error& refused) {
      return Error{ErrorCode::io, std::string("a recording thread was refused: ") + refused.what()};
    }
    return {};
  }

  void stop() noexcept override {
    {
      const std::lock_guard lock(wake_mutex_);
      is_stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void on_work() noexcept override {
    {
      const std::lock_guard lock(wake_mutex_);
      has_work_ = true;
    }
    wake_.notify_one();
  }

  void run() noexcept {
    bool is_busy = false;
    for (;;) {
      bool is_last = false;
      {
        std::unique_lock lock(wake_mutex_);
        if (is_busy) {
          wake_.wait_for(lock, std::chrono::microseconds(turn_us), [this] { return is_stopping_; });
        } else {
          wake_.wait(lock, [this] { return has_work_ || is_stopping_; });
        }
        has_work_ = false;
        is_last = is_stopping_;
      }
      is_busy = turn(is_last);
      if (is_last) return;
    }
  }

  SystemClock system_clock_;
  std::thread thread_;
  std::mutex wake_mutex_;  // guards the two below
  std::condition_variable wake_;
  bool has_work_ = false;
  bool is_stopping_ = false;
};

class LoopRecorder final : public RecorderCore {
 public:
  LoopRecorder(const RecorderConfig& config, io::Loop& loop, std::unique_ptr<RecordingFiles> files)
      : RecorderCore(config, loop.clock(), std::move(files)), loop_(loop) {}
  ~LoopRecorder() override { LoopRecorder::stop(); }

  void stop() noexcept override {
    if (std::exchange(is_stopped_, true)) return;
    timer_.cancel();
    (void)turn(true);
  }

 private:
  void on_work() noexcept override {
    if (!timer_.is_pending()) loop_.timers().start(timer_, turn_us);
  }
  void on_timer() {
    if (turn(false)) loop_.timers().start(timer_, turn_us);
  }

  io::Loop& loop_;
  Timer timer_{Timer::member<&LoopRecorder::on_timer, LoopRecorder>(), this};
  bool is_stopped_ = false;
};

}  // namespace

Result<MediaRecorder> make_loop_recorder(const RecorderConfig& config, io::Loop& loop) {
  if (Result<void> checked = check(config); !checked) return std::move(checked).error();
  auto files = system_recording_files(config.folder);
  if (!files) return std::move(files).error();
  return make_loop_recorder(config, loop, std::move(*files));
}

Result<MediaRecorder> make_loop_recorder(const RecorderConfig& config, io::Loop& loop,
                                         std::unique_ptr<RecordingFiles> files) {
  if (Result<void> checked = check(config); !checked) return std::move(checked).error();
  return MediaRecorder(std::make_shared<LoopRecorder>(config, loop, std::move(files)));
}

}  // namespace tandem::media

namespace tandem {

Result<MediaRecorder> MediaRecorder::create(const RecorderConfig& config) {
  if (Result<void> checked = media::check(config); !checked) return std::move(checked).error();
  auto files = media::system_recording_files(config.folder);
  if (!files) return std::move(files).error();
  auto core = std::make_shared<media::ThreadRecorder>(config, std::move(*files));
  if (Result<void> started = core->start(); !started) return std::move(started).error();
  return MediaRecorder(std::move(core));
}

MediaRecorder::MediaRecorder(std::shared_ptr<media::RecorderCore> core) noexcept
    : core_(std::move(core)) {}
MediaRecorder::MediaRecorder(MediaRecorder&& other) noexcept = default;

MediaRecorder& MediaRecorder::operator=(MediaRecorder&& other) noexcept {
  if (this == &other) return *this;
  if (core_ != nullptr) core_->stop();
  core_ = std::move(other.core_);
  return *this;
}

MediaRecorder::~MediaRecorder() {
  if (core_ != nullptr) core_->stop();
}

Result<MediaRecording> MediaRecorder::record(MediaSession& session, std::string_view name) {
  return core_->record(session, name);
}

RecorderStats MediaRecorder::stats() const noexcept { return core_->stats(); }

MediaRecording::MediaRecording() noexcept = default;
MediaRecording::MediaRecording(std::shared_ptr<media::Recording> body) noexcept
    : body_(std::move(body)) {}
MediaRecording::~MediaRecording() = default;
MediaRecording::MediaRecording(MediaRecording&& other) noexcept = default;
MediaRecording& MediaRecording::operator=(MediaRecording&& other) noexcept = default;

void MediaRecording::stop() noexcept {
  if (body_ == nullptr) return;
  (void)body_->leave_waiting(media::Recording::State::abandoned);
  body_->tap.end();
}

Result<void> MediaRecording::set_payload(MediaSide side, std::uint8_t payload_type,
                                         std::shared_ptr<const AudioCodec> codec) {
  if (payload_type > 127)
    return Error{ErrorCode::invalid_argument,
                 "payload type " + std::to_string(payload_type) + " was not in 0..127"};
  if (body_ != nullptr) body_->set_payload(side, payload_type, std::move(codec));
  return {};
}

std::string MediaRecording::file() const {
  return body_ == nullptr ? std::string() : body_->file_name();
}

bool MediaRecording::is_over() const noexcept {
  return body_ == nullptr || body_->state.load() == media::Recording::State::over;
}

}  // namespace tandem
