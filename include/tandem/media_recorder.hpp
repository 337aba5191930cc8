// Recordings of relayed calls as stereo WAV files (M-15).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tandem/audio_codec.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/media_relay.hpp"

namespace tandem {

namespace media {
class RecorderCore;
class Recording;
}  // namespace media

/// Where recordings go and what they may take.
struct RecorderConfig {
  std::string folder;  ///< Made when it is not there; its parent must be.
  std::uint64_t file_bytes_max =
      512U
      << 20;  ///< A recording ends at this size, 64 Ki..4 Gi less 64 Ki; 32,000 bytes a second.
  std::uint64_t free_bytes_min =
      1U << 30;  ///< Nothing is recorded while the file system has less free; 0: never looked at.
  unsigned recordings_max = 1000;     ///< At once, 1..100,000.
  std::size_t buffer_bytes = 65'536;  ///< Of one recording between relay and writer, 4,096..16 Mi:
                                      ///< the default is three seconds.
  /// Told on the writer's thread of a recording that failed or was cut short. May block.
  std::function<void(const std::string& name, const Error& error)> on_failure{};
};

/// What a recorder has counted since it began.
struct RecorderStats {
  std::uint64_t recordings = 0;     ///< Gauge: now.
  std::uint64_t files_written = 0;  ///< Complete, with audio in them.
  std::uint64_t refused = 0;        ///< record() failed.
  std::uint64_t without_audio = 0;  ///< Nothing was decoded until the writer's last turn: no file.
  std::uint64_t failed = 0;         ///< Files that could not be made or written.
  std::uint64_t cut_short = 0;      ///< By size or by free space.
  std::uint64_t bytes_written = 0;  ///< With headers.
  std::uint64_t packets_dropped = 0;  ///< No room in the buffer: the writer was too slow.
  std::uint64_t packets_skipped = 0;  ///< Of no codec that is known, or broken.
  std::uint64_t packets_late = 0;     ///< Came when their place was written already.
};

/// One recording that may still go on. Destroying it lets it go on until its session is closed.
///
/// Threading: one thread at a time. May outlive its recorder.
class TANDEM_EXPORT MediaRecording {
 public:
  MediaRecording() noexcept;                                                 ///< Of nothing.
  explicit MediaRecording(std::shared_ptr<media::Recording> body) noexcept;  ///< For lib/media.
  ~MediaRecording();
  MediaRecording(MediaRecording&& other) noexcept;
  MediaRecording& operator=(MediaRecording&& other) noexcept;

  /// Ends it; what waits is still written. One without audio so far leaves no file.
  void stop() noexcept;
  /// What packets of `side` of that type are, 0..127, as its descriptions say; null: they are not
  /// decoded. From the writer's next turn on. Types that codecs have by RFC 3551 need not be set.
  /// Errors: invalid_argument.
  Result<void> set_payload(MediaSide side, std::uint8_t payload_type,
                           std::shared_ptr<const AudioCodec> codec);
  /// The file below the recorder's folder, once there is audio for it; "" before, and for ever when
  /// none came until the end.
  [[nodiscard]] std::string file() const;
  /// The file is complete, or there will be none.
  [[nodiscard]] bool is_over() const noexcept;

 private:
  std::shared_ptr<media::Recording> body_;  // shared with the writer
};

/// Writes recordings on a thread of its own. The relay never waits for it: what it cannot take in
/// time is dropped and counted.
///
/// A file is RIFF WAVE, 8,000 Hz, 16 bit, two channels: the caller left, the callee right. What
/// audio_codecs() has is decoded, by the types of RFC 3551 and those of set_payload(), and brought
/// to 8,000 Hz; packets are put where their timestamps say, so that loss is silence of its length
/// and packets that arrive out of order within half a second are in order. Of other codecs a side
/// is silent, and a recording of nothing else leaves no file. The header is right at every second,
/// so that a file whose writer was killed plays.
///
/// Threading: thread-safe.
class TANDEM_EXPORT MediaRecorder {
 public:
  /// Errors: invalid_argument (a field out of range), io (the folder cannot be made, or no thread).
  static Result<MediaRecorder> create(const RecorderConfig& config);

  explicit MediaRecorder(std::shared_ptr<media::RecorderCore> core) noexcept;  ///< For lib/media.
  MediaRecorder(MediaRecorder&& other) noexcept;
  MediaRecorder& operator=(MediaRecorder&& other) noexcept;
  /// Completes the files of all recordings and joins the thread; waits for a disk that hangs.
  ~MediaRecorder();

  /// Records `session` from now until MediaRecording::stop() or its end, by its tap. `name`: the
  /// file below the folder, with `/` between folders, 1..200 bytes, without ".wav"; "-2" and so on
  /// is added when it is there already. Errors: invalid_argument (a name that leaves the folder, or
  /// has control characters), already_exists (the session is tapped), limit (recordings_max, or too
  /// little free space).
  Result<MediaRecording> record(MediaSession& session, std::string_view name);

  [[nodiscard]] RecorderStats stats() const noexcept;

 private:
  std::shared_ptr<media::RecorderCore> core_;
};

/// Makes the header of a recording say what the file holds, whose writer died. True: it had to be
/// changed. Not for a file that is being written. Errors: not_found, io, corrupt (no recording).
TANDEM_EXPORT Result<bool> repair_recording(const std::string& path);

}  // namespace tandem
