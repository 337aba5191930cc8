// Recordings: on a simulated loop, and by a thread.
#include "media/recorder.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <numbers>
#include <set>
#include <string>

#include "base/g711.hpp"
#include "media/open_files.hpp"
#include "media/relay.hpp"
#include "unit/media/fake_loop.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;
namespace fs = std::filesystem;

namespace {

constexpr MediaSide caller = MediaSide::caller;
constexpr MediaSide callee = MediaSide::callee;

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "tandem-record-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
};

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::uint32_t u32_at(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, 4);
  return value;
}

/// Samples of a file: left in [0], right in [1].
struct Samples {
  std::vector<std::int16_t> side[2];
  explicit Samples(const std::string& file) {
    for (std::size_t at = wav_header_bytes; at + 4 <= file.size(); at += 4) {
      for (std::size_t channel = 0; channel < 2; ++channel) {
        std::int16_t sample = 0;
        std::memcpy(&sample, file.data() + at + 2 * channel, 2);
        side[channel].push_back(sample);
      }
    }
  }
};

std::string pcm_packet_at(std::uint16_t sequence, std::uint32_t timestamp,
                          std::uint8_t payload_type, char code, std::uint32_t ssrc = 1) {
  std::string packet = rtp_packet(sequence, timestamp, ssrc, 0);
  packet[1] = static_cast<char>(payload_type);
  packet.append(160, code);
  return packet;
}

std::string pcm_packet(std::uint16_t sequence, std::uint8_t payload_type, char code,
                       std::uint32_t ssrc = 1) {
  return pcm_packet_at(sequence, sequence * 160U, payload_type, code, ssrc);
}

/// Of a codec that a test of it needs; null, with a word, where it was not built.
std::shared_ptr<const AudioCodec> built(const char* name) {
  auto codec = find_audio_codec(name);
  if (codec == nullptr) MESSAGE("not built: " << name);
  return codec;
}

/// 20 ms of a tone of 400 Hz in each packet.
struct Speaker {
  std::shared_ptr<const AudioCodec> codec;
  std::uint8_t payload_type;
  std::uint32_t ssrc;
  std::unique_ptr<AudioEncoder> encoder = codec->make_encoder();
  std::uint16_t sequence = 0;

  std::string packet() {
    const AudioCodecFacts& facts = codec->facts();
    std::vector<std::int16_t> samples(facts.sample_rate_hz / 50);
    for (std::size_t i = 0; i < samples.size(); ++i)
      samples[i] = static_cast<std::int16_t>(
          8000 * std::sin(2 * std::numbers::pi * 400 * static_cast<double>(i) /
                          static_cast<double>(facts.sample_rate_hz)));
    std::vector<std::uint8_t> payload(1500);
    payload.resize(encoder->encode(samples, payload));
    std::string packet = rtp_packet(sequence, sequence * (facts.clock_rate_hz / 50), ssrc, 0);
    packet[1] = static_cast<char>(payload_type);
    packet.append(payload.begin(), payload.end());
    ++sequence;
    return packet;
  }
};

/// Of part of a file: Hz by zero crossings, and the loudest sample.
struct Heard {
  double hz = 0;
  int peak = 0;
  Heard(const std::vector<std::int16_t>& samples, std::size_t begin, std::size_t end) {
    std::size_t crossings = 0;
    for (std::size_t i = begin; i < end; ++i) {
      peak = std::max(peak, std::abs(int{samples[i]}));
      if (i > begin && samples[i - 1] < 0 && samples[i] >= 0) ++crossings;
    }
    hz = static_cast<double>(crossings) * 8000 / static_cast<double>(end - begin);
  }
};

/// A disk that does what a test says.
struct Disk {
  std::uint64_t free_bytes = 1 << 30;
  std::uint64_t file_bytes_max = UINT64_MAX;  // what is written behind it finds no room
  std::function<void()> on_make = [] {};
  std::set<std::string> names;

  struct File final : RecordingFile {
    explicit File(Disk& on) : disk(on) {}
    Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
      if (offset + bytes.size() > disk.file_bytes_max)
        return Error{ErrorCode::limit, "no space left"};
      return {};
    }
    Disk& disk;
  };
  struct Files final : RecordingFiles {
    explicit Files(Disk& on) : disk(on) {}
    Result<std::unique_ptr<RecordingFile>> make(const std::string&,
                                                const std::string& name) override {
      disk.on_make();
      if (!disk.names.insert(name).second) return Error{ErrorCode::already_exists, name};
      return std::unique_ptr<RecordingFile>(std::make_unique<File>(disk));
    }
    void remove(const std::string&, const std::string& name) noexcept override {
      disk.names.erase(name);
    }
    Result<std::uint64_t> free_bytes(const std::string&) override { return disk.free_bytes; }
    Disk& disk;
  };
};

struct Studio {
  Folder folder;
  FakeLoop loop;
  MediaRelay relay;
  MediaSession session;
  std::string failure;
  MediaRecorder recorder;
  const SocketAddress phone = *SocketAddress::parse("192.0.2.1:4000");
  const SocketAddress vendor = *SocketAddress::parse("198.51.100.2:6000");

  explicit Studio(std::uint64_t file_bytes_max = 1 << 20, std::uint64_t free_bytes_min = 0)
      : relay(*make_loop_relay(relay_config(), loop)),
        session(*relay.open()),
        recorder(*make_loop_recorder(config(file_bytes_max, free_bytes_min), loop)) {}
  static MediaConfig relay_config() {
    MediaConfig config;
    config.address = IpAddress::ipv4(203, 0, 113, 1);
    config.port_first = 30000;
    config.port_last = 30059;
    return config;
  }
  RecorderConfig config(std::uint64_t file_bytes_max, std::uint64_t free_bytes_min) const {
    RecorderConfig config;
    config.folder = folder.path / "calls";
    config.file_bytes_max = file_bytes_max;
    config.free_bytes_min = free_bytes_min;
    return config;
  }
  void use(Disk& disk, std::uint64_t free_bytes_min = 0, unsigned recordings_max = 1000) {
    RecorderConfig wanted = config(1 << 20, free_bytes_min);
    wanted.recordings_max = recordings_max;
    wanted.on_failure = [this](const std::string&, const Error& error) { failure = error.message; };
    recorder = *make_loop_recorder(wanted, loop, std::make_unique<Disk::Files>(disk));
  }
  void pass_ms(std::int64_t time_ms) {
    loop.advance_us(time_ms * 1000);
    loop.timers().advance(loop.clock().monotonic_us());
  }
  void say(MediaSide side, const std::string& packet) {
    loop.send(side == caller ? phone : vendor, session.local_rtp(side), packet);
  }
  [[nodiscard]] std::string file(const char* name = "one.wav") const {
    return content(folder.path / "calls" / name);
  }
};

}  // namespace

TEST_CASE("G.711: silence, the ends of the scale and both signs are those of the tables") {
  CHECK(sample_of_ulaw(0xFF) == 0);
  CHECK(sample_of_ulaw(0x7F) == 0);
  CHECK(sample_of_ulaw(0x80) == 32124);
  CHECK(sample_of_ulaw(0x00) == -32124);
  CHECK(sample_of_alaw(0xD5) == 8);
  CHECK(sample_of_alaw(0x55) == -8);
  CHECK(sample_of_alaw(0xAA) == 32256);
  CHECK(sample_of_alaw(0x2A) == -32256);
}

TEST_CASE("Recording M-15: the caller is left, the callee right, each by its own codec") {
  Studio s;
  auto recording = s.recorder.record(s.session, "one");
  REQUIRE(recording);
  CHECK(recording->file().empty());
  for (std::uint16_t i = 1; i <= 50; ++i) {
    s.say(caller, pcm_packet(i, 0, '\x10'));
    s.say(callee, pcm_packet(i, 8, '\x33', 2));
    s.pass_ms(20);
  }
  CHECK(recording->file() == "one.wav");
  CHECK_FALSE(recording->is_over());
  s.session.close();
  s.pass_ms(200);
  CHECK(recording->is_over());
  const std::string file = s.file();
  CHECK(file.substr(0, 4) == "RIFF");
  CHECK(u32_at(file, 40) == file.size() - 44);
  CHECK(u32_at(file, 4) == file.size() - 8);
  CHECK(u32_at(file, 24) == 8000);
  const Samples samples(file);
  REQUIRE(samples.side[0].size() == 8000);
  for (std::size_t i = 0; i < 8000; ++i) {
    REQUIRE(samples.side[0][i] == sample_of_ulaw(0x10));
    REQUIRE(samples.side[1][i] == sample_of_alaw(0x33));
  }
  CHECK(s.recorder.stats().files_written == 1);
  CHECK(s.recorder.stats().recordings == 0);
}

TEST_CASE(
    "Recording M-15: loss is silence of its length, and the order is that of the timestamps") {
  Studio s;
  REQUIRE(s.recorder.record(s.session, "one"));
  for (const int i : {1, 3, 2, 5, 6}) {  // 4 is lost
    s.say(caller, pcm_packet(static_cast<std::uint16_t>(i), 0, static_cast<char>(i)));
    s.pass_ms(20);
  }
  s.session.close();
  s.pass_ms(200);
  const Samples samples(s.file());
  REQUIRE(samples.side[0].size() == 960);
  for (std::size_t packet = 1; packet <= 6; ++packet) {
    const std::int16_t expected =
        packet == 4 ? std::int16_t{0} : sample_of_ulaw(static_cast<std::uint8_t>(packet));
    CHECK(samples.side[0][160 * packet - 1] == expected);
    CHECK(samples.side[0][160 * packet - 160] == expected);
    CHECK(samples.side[1][160 * packet - 1] == 0);
  }
}

TEST_CASE("Recording M-15: what comes half a second late is left out and counted") {
  Studio s;
  REQUIRE(s.recorder.record(s.session, "one"));
  for (int i = 1; i <= 60; ++i) {
    if (i != 2) s.say(caller, pcm_packet(static_cast<std::uint16_t>(i), 0, '\x10'));
    s.pass_ms(20);
  }
  s.say(caller, pcm_packet(2, 0, '\x20'));
  s.session.close();
  s.pass_ms(200);
  CHECK(s.recorder.stats().packets_late == 1);
  const Samples samples(s.file());
  CHECK(samples.side[0][160] == 0);
  CHECK(samples.side[0].size() == 9600);
}

TEST_CASE("Recording M-15: a pause is as long as it was, also under a new SSRC") {
  Studio s;
  REQUIRE(s.recorder.record(s.session, "one"));
  s.say(caller, pcm_packet(1, 0, '\x10'));
  s.pass_ms(3000);
  s.say(caller, pcm_packet(5000, 0, '\x20', 9));
  s.session.close();
  s.pass_ms(200);
  const Samples samples(s.file());
  REQUIRE(samples.side[0].size() == 24'160);
  CHECK(samples.side[0][159] == sample_of_ulaw(0x10));
  CHECK(samples.side[0][160] == 0);
  CHECK(samples.side[0][24'000] == sample_of_ulaw(0x20));
}

TEST_CASE("Recording M-15: silence before the first word is there") {
  Studio s;
  REQUIRE(s.recorder.record(s.session, "one"));
  for (int i = 0; i < 20; ++i)
    s.pass_ms(100);
  s.say(callee, pcm_packet(1, 8, '\x33'));
  s.session.close();
  s.pass_ms(200);
  const Samples samples(s.file());
  REQUIRE(samples.side[1].size() == 16'160);
  CHECK(samples.side[1][15'999] == 0);
  CHECK(samples.side[1][16'000] == sample_of_alaw(0x33));
}

TEST_CASE("Recording M-15: Opus and G.722 are decoded, in time with G.711 of the other side") {
  const char* name = "";
  std::uint8_t payload_type = 0;
  SUBCASE("opus") {
    name = "opus";
    payload_type = 111;
  }
  SUBCASE("G722") {
    name = "G722";
    payload_type = 9;
  }
  const auto codec = built(name);
  if (codec == nullptr) return;
  Studio s;
  auto recording = s.recorder.record(s.session, "one");
  REQUIRE(recording);
  if (codec->facts().payload_type < 0) REQUIRE(recording->set_payload(caller, payload_type, codec));
  Speaker speaker{codec, payload_type, 7};
  for (std::uint16_t i = 1; i <= 100; ++i) {
    const std::string packet = speaker.packet();
    if (i <= 50 || i > 60) s.say(caller, packet);  // 200 ms are lost
    s.say(callee, pcm_packet(i, 8, '\x33', 2));
    s.pass_ms(20);
  }
  s.session.close();
  s.pass_ms(200);
  const Samples samples(s.file());
  REQUIRE(samples.side[0].size() == 16'000);
  CHECK(samples.side[1][15'999] == sample_of_alaw(0x33));
  const Heard before(samples.side[0], 1600, 8000), lost(samples.side[0], 8000, 9600),
      after(samples.side[0], 11'200, 16'000);
  CHECK(before.hz == doctest::Approx(400).epsilon(0.02));
  CHECK(before.peak > 5000);
  CHECK(before.peak < 11'000);
  CHECK(lost.peak == 0);
  CHECK(after.hz == doctest::Approx(400).epsilon(0.02));
  CHECK(after.peak > 5000);
  CHECK(s.recorder.stats().packets_skipped == 0);
}

TEST_CASE("Recording M-15: a side may change its codec, and who says nothing of a type is silent") {
  const auto opus = built("opus");
  if (opus == nullptr) return;
  Studio s;
  auto recording = s.recorder.record(s.session, "one");
  REQUIRE(recording);
  Speaker speaker{opus, 96, 7};
  for (std::uint16_t i = 0; i < 150; ++i) {
    if (i == 50) REQUIRE(recording->set_payload(caller, 96, opus));
    if (i == 100) REQUIRE(recording->set_payload(caller, 96, nullptr));
    const std::string packet = speaker.packet();
    s.say(caller, packet);
    s.say(callee, packet);
    s.pass_ms(20);
  }
  s.session.close();
  s.pass_ms(200);
  CHECK(recording->set_payload(caller, 128, opus).error().code == ErrorCode::invalid_argument);
  const Samples samples(s.file());
  REQUIRE(samples.side[0].size() >= 16'000);
  CHECK(Heard(samples.side[0], 0, 7000).peak == 0);
  CHECK(Heard(samples.side[0], 9600, 15'000).hz == doctest::Approx(400).epsilon(0.02));
  CHECK(Heard(samples.side[1], 0, samples.side[1].size()).peak == 0);
  CHECK(s.recorder.stats().packets_skipped >= 200);
}

TEST_CASE("Recording M-15: timestamps of a clock that is no whole sample do not drift") {
  StereoTrack track(0);
  std::string frames;
  const std::vector<std::int16_t> samples(161, 99);
  RtpHeader header;
  header.ssrc = 1;
  for (std::uint16_t i = 0; i < 600; ++i) {
    header.sequence = i;
    header.timestamp = i * 965U;  // five sixths of a sample are left each time
    const std::int64_t at_us = header.timestamp * std::int64_t{1'000'000} / 48'000;
    track.flush(at_us, frames);
    CHECK(track.put(caller, at_us, header, samples, 6) == StereoTrack::Fate::taken);
  }
  track.finish(frames);
  CHECK(frames.size() / 4 == 599 * 965 / 6 + 161);
}

TEST_CASE("Recording M-15: other codecs leave no file, and are counted") {
  Studio s;
  auto recording = s.recorder.record(s.session, "one");
  s.say(caller, pcm_packet(1, 18, '\x10'));
  s.session.close();
  s.pass_ms(200);
  CHECK(recording->is_over());
  CHECK(recording->file().empty());
  CHECK_FALSE(fs::exists(s.folder.path / "calls" / "one.wav"));
  CHECK(s.recorder.stats().without_audio == 1);
  CHECK(s.recorder.stats().packets_skipped == 1);
}

TEST_CASE("Recording M-15: one that is stopped ends there, and its session can be recorded again") {
  Studio s;
  auto first = s.recorder.record(s.session, "one");
  s.say(caller, pcm_packet(1, 0, '\x10'));
  s.pass_ms(100);
  first->stop();
  s.say(caller, pcm_packet(2, 0, '\x11'));
  s.pass_ms(100);
  CHECK(first->is_over());
  CHECK(s.file().size() == 44 + 4 * 160);
  auto second = s.recorder.record(s.session, "one");
  REQUIRE(second);
  s.say(caller, pcm_packet(3, 0, '\x12'));
  s.session.close();
  s.pass_ms(200);
  CHECK(second->file() == "one-2.wav");
  CHECK(s.file("one-2.wav").size() == 44 + 4 * 160);
}

TEST_CASE("Recording M-15: one that is stopped before the first word leaves no file") {
  Studio s;
  auto recording = s.recorder.record(s.session, "one");
  s.say(caller, pcm_packet(1, 0, '\x10'));
  recording->stop();  // before the writer came
  s.pass_ms(200);
  CHECK(recording->is_over());
  CHECK(recording->file().empty());
  CHECK_FALSE(fs::exists(s.folder.path / "calls" / "one.wav"));
}

TEST_CASE("Recording M-15: it ends at its largest size, and plays") {
  Studio s(65'536);
  auto recording = s.recorder.record(s.session, "one");
  for (std::uint16_t i = 1; i <= 1000; ++i) {  // more than its buffer would take
    s.say(caller, pcm_packet(i, 0, '\x10'));
    s.pass_ms(20);
  }
  CHECK(recording->is_over());
  const std::string file = s.file();
  CHECK(file.size() == 65'536);
  CHECK(u32_at(file, 40) == file.size() - 44);
  CHECK(s.recorder.stats().cut_short == 1);
  CHECK(s.relay.stats().taps_dropped == 0);
  CHECK(s.recorder.record(s.session, "two"));
}

TEST_CASE("Recording M-15: timestamps that begin anew under the same SSRC go on being heard") {
  Studio s;
  REQUIRE(s.recorder.record(s.session, "one"));
  for (std::uint16_t i = 1; i <= 100; ++i) {
    const std::uint32_t base = i <= 50 ? 2'000'000'000 : 1'000'000'000;
    s.say(caller, pcm_packet_at(i, base + 160U * i, 0, '\x10'));
    s.pass_ms(20);
  }
  s.session.close();
  s.pass_ms(200);
  CHECK(s.recorder.stats().packets_late == 0);
  const Samples samples(s.file());
  REQUIRE(samples.side[0].size() == 16'000);
  for (std::size_t i = 0; i < 16'000; ++i)
    REQUIRE(samples.side[0][i] == sample_of_ulaw(0x10));
}

TEST_CASE("Recording M-15: a stall that ends in a burst is silence, and its end where it belongs") {
  Studio s;
  REQUIRE(s.recorder.record(s.session, "one"));
  const auto say = [&s](std::uint16_t i) { s.say(caller, pcm_packet(i, 0, static_cast<char>(i))); };
  for (std::uint16_t i = 1; i <= 50; ++i) {
    say(i);
    s.pass_ms(20);
  }
  s.pass_ms(2000);
  for (std::uint16_t i = 51; i <= 150; ++i)
    say(i);
  for (std::uint16_t i = 151; i <= 200; ++i) {
    say(i);
    s.pass_ms(20);
  }
  s.session.close();
  s.pass_ms(200);
  const Samples samples(s.file());
  REQUIRE(samples.side[0].size() == 32'000);
  for (std::size_t packet = 1; packet <= 200; ++packet) {
    const bool came_too_late = packet > 50 && packet <= 125;  // by more than half a second
    const std::int16_t expected =
        came_too_late ? std::int16_t{0} : sample_of_ulaw(static_cast<std::uint8_t>(packet));
    CAPTURE(packet);
    CHECK(samples.side[0][160 * packet - 160] == expected);
    CHECK(samples.side[0][160 * packet - 1] == expected);
  }
}

TEST_CASE("Recording M-15: who stops it while its file is made is told of none, and it goes") {
  Studio s;
  Disk disk;
  s.use(disk);
  auto recording = s.recorder.record(s.session, "one");
  disk.on_make = [&] {
    recording->stop();
    CHECK(recording->file().empty());
  };
  s.say(caller, pcm_packet(1, 0, '\x10'));
  s.say(caller, pcm_packet(2, 0, '\x10'));
  s.pass_ms(200);
  s.pass_ms(200);
  CHECK(recording->is_over());
  CHECK(recording->file().empty());
  CHECK(disk.names.empty());
  CHECK(s.recorder.stats().files_written == 0);
  CHECK(s.recorder.stats().without_audio == 1);
}

TEST_CASE("Recording M-15: a disk that is full ends it, once, and the session can be recorded") {
  Studio s;
  Disk disk;
  s.use(disk);
  disk.file_bytes_max = 10'000;
  auto recording = s.recorder.record(s.session, "one");
  for (std::uint16_t i = 1; i <= 1000; ++i) {
    s.say(caller, pcm_packet(i, 0, '\x10'));
    s.pass_ms(20);
  }
  CHECK(recording->is_over());
  CHECK(recording->file() == "one.wav");
  CHECK(s.failure == "no space left");
  CHECK(s.recorder.stats().failed == 1);
  CHECK(s.recorder.stats().recordings == 0);
  CHECK(s.relay.stats().taps_dropped == 0);
  CHECK(s.recorder.record(s.session, "two"));
}

TEST_CASE("Recording M-15: room that is back is seen though a recording still waits for audio") {
  Studio s;
  Disk disk;
  s.use(disk, 1000);
  auto silent = s.relay.open();
  REQUIRE(s.recorder.record(*silent, "silent"));  // no audio, ever
  auto recording = s.recorder.record(s.session, "one");
  for (std::uint16_t i = 1; i <= 200; ++i) {
    if (i == 100) disk.free_bytes = 999;
    s.say(caller, pcm_packet(i, 0, '\x10'));
    s.pass_ms(20);
  }
  CHECK(recording->is_over());
  CHECK(s.recorder.stats().cut_short == 1);
  CHECK(s.recorder.stats().recordings == 1);
  CHECK(s.recorder.record(s.session, "two").error().code == ErrorCode::limit);
  disk.free_bytes = 1000;
  for (int i = 0; i < 20; ++i)
    s.pass_ms(100);
  CHECK(s.recorder.record(s.session, "two"));
}

TEST_CASE("Recording M-15: the limit holds, and what is refused takes no place") {
  Studio s;
  Disk disk;
  s.use(disk, 0, 1);
  auto other = s.relay.open();
  auto recording = s.recorder.record(s.session, "one");
  REQUIRE(recording);
  for (int i = 0; i < 3; ++i)
    CHECK(s.recorder.record(*other, "two").error().code == ErrorCode::limit);
  CHECK(s.recorder.stats().recordings == 1);
  recording->stop();
  s.pass_ms(200);
  CHECK(s.recorder.stats().recordings == 0);
  CHECK(s.recorder.record(*other, "two"));
}

TEST_CASE("Recording M-15: files that are kept for the rest of the program are not taken") {
  const Folder folder;
  auto files = system_recording_files(folder.path);
  REQUIRE(files);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  std::vector<int> open;
  open.push_back(::dup(0));
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(open.back()) + 16;  // an eighth of it is kept, so two at least
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  Result<std::unique_ptr<RecordingFile>> made = (*files)->make(folder.path, "first.wav");
  const bool was_made = made.ok();
  while (open.back() >= 0 && !is_kept_file(open.back()))
    open.push_back(::dup(0));
  made = (*files)->make(folder.path, "late.wav");
  const int left = ::dup(0);  // the rest of the program still gets one
  for (const int fd : open)
    ::close(fd);
  if (left >= 0) ::close(left);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(was_made);
  REQUIRE_FALSE(made);
  CHECK(made.error().code == ErrorCode::limit);
  CHECK(made.error().message.find("kept") != std::string::npos);
  CHECK(left >= 0);
  CHECK_FALSE(fs::exists(folder.path / "late.wav"));
}

TEST_CASE("Recording M-15: nothing is recorded while the disk has too little room") {
  Studio s(1 << 20, UINT64_MAX);
  CHECK(s.recorder.record(s.session, "one").error().code == ErrorCode::limit);
  CHECK(s.recorder.stats().refused == 1);
}

TEST_CASE("Recording M-15: names stay below the folder") {
  Studio s;
  for (const char* name : {"", "/one", "../one", "a/../one", "a//one", "a/", ".one", "a\none"})
    CHECK(s.recorder.record(s.session, name).error().code == ErrorCode::invalid_argument);
  REQUIRE(s.recorder.record(s.session, "2026-11-26/acme/one"));
  s.say(caller, pcm_packet(1, 0, '\x10'));
  s.session.close();
  s.pass_ms(200);
  CHECK(fs::exists(s.folder.path / "calls/2026-11-26/acme/one.wav"));
}

TEST_CASE(
    "Recording M-15: the header is right each second, and repaired behind a writer that died") {
  Studio s;
  REQUIRE(s.recorder.record(s.session, "one"));
  for (std::uint16_t i = 1; i <= 200; ++i) {
    s.say(caller, pcm_packet(i, 0, '\x10'));
    s.pass_ms(20);
  }
  std::string killed = s.file();  // as a kill would leave it
  CHECK(u32_at(killed, 40) <= killed.size() - 44);
  CHECK(u32_at(killed, 40) + 40'000 > killed.size() - 44);
  const fs::path copy = s.folder.path / "killed.wav";
  killed += "abc";  // and half a frame
  std::ofstream(copy, std::ios::binary) << killed;
  auto repaired = repair_recording(copy);
  REQUIRE(repaired);
  CHECK(*repaired);
  CHECK(u32_at(content(copy), 40) == killed.size() - 44 - 3);
  CHECK_FALSE(*repair_recording(copy));
  std::ofstream(copy, std::ios::binary) << "RIFF, but no recording of ours, though long enough";
  CHECK(repair_recording(copy).error().code == ErrorCode::corrupt);
  CHECK(repair_recording(s.folder.path / "none").error().code == ErrorCode::not_found);
}

TEST_CASE("Recording M-15: a recorder with a thread completes what runs when it goes") {
  Folder folder;
  FakeLoop loop;
  auto relay = make_loop_relay(Studio::relay_config(), loop);
  auto session = relay->open();
  RecorderConfig config;
  config.folder = folder.path;
  config.free_bytes_min = 0;
  {
    auto recorder = MediaRecorder::create(config);
    REQUIRE(recorder);
    REQUIRE(recorder->record(*session, "one"));
    loop.send(*SocketAddress::parse("192.0.2.1:4000"), session->local_rtp(caller),
              pcm_packet(1, 0, '\x10'));
  }
  const std::string file = content(folder.path / "one.wav");
  CHECK(u32_at(file, 40) == file.size() - 44);
  CHECK(file.size() > 44);
}

TEST_CASE("Recording: configurations that cannot be are refused") {
  RecorderConfig config;
  CHECK_FALSE(MediaRecorder::create(config));
  config.folder = "/nonexistent/folder/deep";
  CHECK(MediaRecorder::create(config).error().code == ErrorCode::not_found);
  config.file_bytes_max = 10;
  CHECK(MediaRecorder::create(config).error().code == ErrorCode::invalid_argument);
}
