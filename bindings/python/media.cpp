// The media relay.
#include <algorithm>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "binding.hpp"
#include "tandem/audio_tap.hpp"
#include "tandem/media_recorder.hpp"
#include "tandem/media_relay.hpp"
#include "tandem/spoken.hpp"

using namespace tandem;
using namespace pybind11::literals;

namespace binding {
namespace {

/// A relay that can be closed before its object goes.
struct Relay {
  std::shared_ptr<MediaRelay> body;  // changed under the GIL alone
  /// Who works without the GIL keeps it through a close() of another thread.
  std::shared_ptr<MediaRelay> open() {
    if (!body) throw Failure{{ErrorCode::wrong_state, "the relay was closed"}};
    return body;
  }
  void close() {
    unlocked([closed = std::move(body)]() mutable { closed.reset(); });
  }
};

/// A closed session knows nothing.
MediaSession& open(MediaSession& session) {
  if (!session.is_open()) throw Failure{{ErrorCode::wrong_state, "the session was closed"}};
  return session;
}

/// A method of a session that is open.
template <class Return, class... Arguments>
auto of_open(Return (MediaSession::*method)(Arguments...)) {
  return [method](MediaSession& session, Arguments... arguments) {
    return (open(session).*method)(arguments...);
  };
}
template <class Return, class... Arguments>
auto of_open(Return (MediaSession::*method)(Arguments...) noexcept) {
  return [method](MediaSession& session, Arguments... arguments) {
    return (open(session).*method)(arguments...);
  };
}
template <class Return, class... Arguments>
auto of_open(Return (MediaSession::*method)(Arguments...) const) {
  return [method](MediaSession& session, Arguments... arguments) {
    return (open(session).*method)(arguments...);
  };
}
template <class Return, class... Arguments>
auto of_open(Return (MediaSession::*method)(Arguments...) const noexcept) {
  return [method](MediaSession& session, Arguments... arguments) {
    return (open(session).*method)(arguments...);
  };
}

/// A recorder that can be closed before its object goes.
struct Recorder {
  std::optional<MediaRecorder> body;
  MediaRecorder& open() {
    if (!body) throw Failure{{ErrorCode::wrong_state, "the recorder was closed"}};
    return *body;
  }
};

/// Name of the suite, master key and salt.
using PySrtpKey = std::pair<std::string, py::bytes>;

SrtpKey srtp_key(const std::optional<PySrtpKey>& key) {
  if (!key) return {};
  const auto suite = srtp_suite_from_name(key->first);
  if (!suite)
    throw Failure{{ErrorCode::invalid_argument, "SRTP suite \"" + key->first + "\" is not known"}};
  return {*suite, key->second};
}

/// `ice`: user fragment and password of ours.
MediaHandshake handshake_of(DtlsRole role, const std::vector<std::string>& fingerprints,
                            const std::optional<std::pair<std::string, std::string>>& ice,
                            const std::string& remote_ice_ufrag, bool rtcp_mux) {
  MediaHandshake handshake;
  handshake.role = role;
  for (const std::string& text : fingerprints)
    handshake.fingerprints.push_back(take(DtlsFingerprint::parse(text)));
  if (ice) {
    handshake.ice_ufrag = ice->first;
    handshake.ice_password = ice->second;
  }
  handshake.remote_ice_ufrag = remote_ice_ufrag;
  handshake.rtcp_mux = rtcp_mux;
  return handshake;
}

std::vector<IpNetwork> networks(const std::vector<std::string>& texts) {
  std::vector<IpNetwork> read;
  for (const std::string& text : texts)
    read.push_back(take(IpNetwork::parse(text)));
  return read;
}

IpAddress address_or_none(const std::string& text) {
  return text.empty() ? IpAddress() : take(IpAddress::parse(text));
}

/// Of MediaConfig::event_kinds.
std::uint32_t event_bit(const std::string& name) {
  for (unsigned kind = 0; kind <= static_cast<unsigned>(MediaEvent::Kind::handshake_ended);
       ++kind) {
    if (name == media_event_name(static_cast<MediaEvent::Kind>(kind))) return 1U << kind;
  }
  throw Failure{{ErrorCode::invalid_argument, "media event \"" + name + "\" is not known"}};
}

MediaAttach attach_named(const std::string& name) {
  for (const MediaAttach attach : {MediaAttach::automatic, MediaAttach::xdp_native,
                                   MediaAttach::xdp_generic, MediaAttach::tc}) {
    if (name == media_attach_name(attach)) return attach;
  }
  throw Failure{{ErrorCode::invalid_argument, "kernel_attach \"" + name + "\" is not known"}};
}

MediaBackend backend_named(const std::string& name) {
  for (const MediaBackend backend : {MediaBackend::automatic, MediaBackend::portable,
                                     MediaBackend::fast, MediaBackend::kernel}) {
    if (name == media_backend_name(backend)) return backend;
  }
  throw Failure{{ErrorCode::invalid_argument, "media backend \"" + name + "\" is not known"}};
}

IpAddress::Family family(int version) {
  if (version == 4) return IpAddress::Family::ipv4;
  if (version == 6) return IpAddress::Family::ipv6;
  throw Failure{{ErrorCode::invalid_argument,
                 "IP version " + std::to_string(version) + " is neither 4 nor 6"}};
}

}  // namespace

void bind_media(py::module_& m) {
  py::enum_<MediaSide>(m, "MediaSide")
      .value("caller", MediaSide::caller)
      .value("callee", MediaSide::callee);

  py::class_<MediaSideStats>(m, "MediaSideStats")
      .def(py::init<>())
      .def_readwrite("packets_received", &MediaSideStats::packets_received)
      .def_readwrite("bytes_received", &MediaSideStats::bytes_received)
      .def_readwrite("packets_sent", &MediaSideStats::packets_sent)
      .def_readwrite("packets_lost", &MediaSideStats::packets_lost)
      .def_readwrite("jitter_us", &MediaSideStats::jitter_us)
      .def_readwrite("packets_refused", &MediaSideStats::packets_refused)
      .def_readwrite("remote", &MediaSideStats::remote)
      .def_readwrite("signalled", &MediaSideStats::signalled)
      .def_property_readonly("cause",
                             [](const MediaSideStats& s) { return media_cause_name(s.cause); })
      .def_readwrite("digits", &MediaSideStats::digits)
      .def_readwrite("packets_unnegotiated", &MediaSideStats::packets_unnegotiated)
      .def_readwrite("reported_lost", &MediaSideStats::reported_lost)
      .def_readwrite("reported_jitter_us", &MediaSideStats::reported_jitter_us)
      .def_readwrite("srtp_failures", &MediaSideStats::srtp_failures)
      .def_readwrite("jitter_late", &MediaSideStats::jitter_late)
      .def_readwrite("jitter_lost", &MediaSideStats::jitter_lost)
      .def_readwrite("jitter_depth_ms", &MediaSideStats::jitter_depth_ms);

  py::enum_<DtlsRole>(m, "DtlsRole")
      .value("none", DtlsRole::none)
      .value("server", DtlsRole::server)
      .value("client", DtlsRole::client);

  py::enum_<MediaPolicy>(m, "MediaPolicy")
      .value("forward", MediaPolicy::forward)
      .value("block", MediaPolicy::block);

  py::class_<MediaEvent>(m, "MediaEvent")
      .def_property_readonly("kind", [](const MediaEvent& e) { return media_event_name(e.kind); })
      .def_readonly("side", &MediaEvent::side)
      .def_readonly("tag", &MediaEvent::tag)
      .def_readonly("at_us", &MediaEvent::at_us)
      .def_property_readonly("source",
                             [](const MediaEvent& e) -> std::optional<SocketAddress> {
                               if (e.source.port == 0) return std::nullopt;
                               return e.source;
                             })
      .def_property_readonly("refusal",
                             [](const MediaEvent& e) { return media_refusal_name(e.refusal); })
      .def_readonly("refused", &MediaEvent::refused)
      .def_property_readonly(
          "digit",
          [](const MediaEvent& e) { return std::string(e.digit != '\0' ? 1 : 0, e.digit); })
      .def_readonly("duration_ms", &MediaEvent::duration_ms)
      .def_readonly("is_end_lost", &MediaEvent::is_end_lost)
      .def_readonly("silence_ms", &MediaEvent::silence_ms)
      .def_readonly("loss_permille", &MediaEvent::loss_permille)
      .def_property_readonly(
          "handshake", [](const MediaEvent& e) { return media_handshake_state_name(e.handshake); })
      .def("__repr__", [](const MediaEvent& e) {
        return std::string("<MediaEvent ") + media_event_name(e.kind) + '>';
      });

  py::class_<TappedPacket>(m, "TappedPacket")
      .def_readonly("side", &TappedPacket::side)
      .def_readonly("at_us", &TappedPacket::at_us)
      .def_property_readonly("data", [](const TappedPacket& p) { return py::bytes(p.bytes); });

  py::class_<MediaTap>(m, "MediaTap")
      .def(
          "take", [](MediaTap& tap, std::size_t packets_max) { return tap.take(packets_max); },
          "packets_max"_a = 1024)
      .def("end", &MediaTap::end)
      .def_property_readonly("dropped", &MediaTap::dropped)
      .def_property_readonly("is_over", &MediaTap::is_over);

  py::class_<MediaAudio>(m, "MediaAudio")
      .def(py::init([](const std::string& codec, int payload_type, std::optional<int> events_type,
                       unsigned ptime_ms, const std::string& keys, bool hears_tones,
                       const std::string& fmtp, std::uint32_t events_clock_rate_hz) {
             MediaAudio audio;
             audio.codec = find_audio_codec(codec);
             if (audio.codec == nullptr)
               throw py::value_error("codec \"" + codec + "\" was not known");
             if (payload_type < 0 || payload_type > 127)
               throw py::value_error("payload_type " + std::to_string(payload_type) +
                                     " was not in 0..127");
             if (keys != "events" && keys != "tones" && keys != "none")
               throw py::value_error("keys \"" + keys + "\" was none of events, tones, none");
             audio.payload_type = static_cast<std::uint8_t>(payload_type);
             audio.events_type = events_type.value_or(-1);
             audio.ptime_ms = ptime_ms;
             audio.keys = keys == "events"  ? MediaKeys::events
                          : keys == "tones" ? MediaKeys::tones
                                            : MediaKeys::none;
             audio.hears_tones = hears_tones;
             audio.fmtp = fmtp;
             audio.events_clock_rate_hz = events_clock_rate_hz;
             return audio;
           }),
           "codec"_a, "payload_type"_a, py::kw_only(), "events_type"_a = py::none(),
           "ptime_ms"_a = 0, "keys"_a = "events", "hears_tones"_a = false, "fmtp"_a = "",
           "events_clock_rate_hz"_a = audio_rate_hz);

  py::class_<SpokenGrammar>(m, "SpokenGrammar")
      .def(py::init([](const std::string& source) { return take(SpokenGrammar::load(source)); }),
           "source"_a)
      .def_static(
          "parse", [](const std::string& text) { return take(SpokenGrammar::parse(text)); },
          "text"_a)
      .def_static("built_in_languages", &SpokenGrammar::built_in_languages)
      .def(
          "number",
          [](const SpokenGrammar& g, std::uint64_t value) { return take(g.number(value)); },
          "value"_a)
      .def(
          "remaining_time",
          [](const SpokenGrammar& g, std::uint64_t s) { return take(g.remaining_time(s)); },
          "seconds"_a)
      .def(
          "remaining_amount",
          [](const SpokenGrammar& g, Amount amount, const std::string& currency) {
            return take(g.remaining_amount(amount, currency));
          },
          "amount"_a, "currency"_a)
      .def(
          "say",
          [](const SpokenGrammar& g, const std::string& section, std::uint64_t value,
             const std::string& currency) { return take(g.say(section, value, currency)); },
          "section"_a, "value"_a, "currency"_a = "")
      .def(
          "vocabulary",
          [](const SpokenGrammar& g, const std::string& section, const std::string& currency) {
            return take(g.vocabulary(section, currency));
          },
          "section"_a, "currency"_a = "");
  m.def(
      "spoken_files",
      [](const SpokenPhrase& phrase, const std::string& folder) {
        return take(spoken_files(phrase, folder));
      },
      "phrase"_a, "folder"_a);

  m.def("audio_codecs", [] {
    std::vector<std::string> names;
    for (const auto& codec : audio_codecs())
      names.push_back(codec->facts().name + '/' + std::to_string(codec->facts().clock_rate_hz));
    return names;
  });

  py::class_<TappedAudio>(m, "TappedAudio", py::buffer_protocol())
      .def_buffer([](TappedAudio& audio) {
        return py::buffer_info(audio.samples.data(), sizeof(std::int16_t),
                               py::format_descriptor<std::int16_t>::format(), 1,
                               {static_cast<py::ssize_t>(audio.samples.size())},
                               {static_cast<py::ssize_t>(sizeof(std::int16_t))}, true);
      })
      .def_readonly("side", &TappedAudio::side)
      .def_readonly("at_us", &TappedAudio::at_us)
      .def_readonly("ssrc", &TappedAudio::ssrc)
      .def_readonly("timestamp", &TappedAudio::timestamp)
      .def_readonly("sequence", &TappedAudio::sequence)
      .def_readonly("rate_hz", &TappedAudio::rate_hz)
      .def_property_readonly("samples",
                             [](const py::object& self) { return py::memoryview(self); });

  py::class_<AudioTap>(m, "AudioTap")
      .def(
          "take",
          [](AudioTap& tap, std::size_t packets_max) {
            std::vector<TappedAudio> taken;
            TappedAudio next;
            while (taken.size() < packets_max && tap.take(next))
              taken.push_back(std::move(next));
            return taken;
          },
          "packets_max"_a = 1024)
      .def("end", &AudioTap::end)
      .def_property_readonly("skipped", &AudioTap::skipped)
      .def_property_readonly("dropped", &AudioTap::dropped)
      .def_property_readonly("is_over", &AudioTap::is_over);

  py::class_<MediaSession>(m, "MediaSession")
      .def("local_rtp", of_open(&MediaSession::local_rtp), "side"_a)
      .def("local_rtcp", of_open(&MediaSession::local_rtcp), "side"_a)
      .def(
          "set_remote",
          [](MediaSession& s, MediaSide side, const SocketAddress& rtp,
             const std::optional<SocketAddress>& rtcp) {
            take(open(s).set_remote(side, rtp, rtcp.value_or(SocketAddress())));
          },
          "side"_a, "rtp"_a, "rtcp"_a = py::none())
      .def(
          "set_flags",
          [](MediaSession& s, MediaSide side, bool strict, bool prefer, bool transparent,
             bool discard) {
            open(s).set_flags(side, {strict, prefer, transparent, discard});
          },
          "side"_a, py::kw_only(), "strict_source"_a = false, "prefer_signalled"_a = false,
          "transparent"_a = false, "discard"_a = false)
      .def("set_policy", of_open(&MediaSession::set_policy), "side"_a, "policy"_a)
      .def("set_tag", of_open(&MediaSession::set_tag), "tag"_a)
      .def(
          "set_payloads",
          [](MediaSession& s, MediaSide side, const std::vector<std::uint8_t>& negotiated,
             const std::vector<std::uint8_t>& telephone_events) {
            take(open(s).set_payloads(side, negotiated, telephone_events));
          },
          "side"_a, "negotiated"_a, "telephone_events"_a)
      .def(
          "set_watch",
          [](MediaSession& s, MediaSide side, std::uint32_t silence_ms, std::uint32_t loss_permille,
             std::uint32_t loss_window_ms) {
            take(open(s).set_watch(side, {silence_ms, loss_permille, loss_window_ms}));
          },
          "side"_a, py::kw_only(), "silence_ms"_a = 0, "loss_permille"_a = 0,
          "loss_window_ms"_a = 10'000)
      .def(
          "set_sources",
          [](MediaSession& s, MediaSide side, const std::vector<std::string>& allow,
             const std::vector<std::string>& deny) {
            take(open(s).set_sources(side, {networks(allow), networks(deny)}));
          },
          "side"_a, py::kw_only(), "allow"_a = std::vector<std::string>(),
          "deny"_a = std::vector<std::string>())
      .def(
          "set_crypto",
          [](MediaSession& s, MediaSide side, const std::optional<PySrtpKey>& receive,
             const std::optional<PySrtpKey>& send) {
            take(open(s).set_crypto(side, {srtp_key(receive), srtp_key(send)}));
          },
          "side"_a, py::kw_only(), "receive"_a = py::none(), "send"_a = py::none())
      .def(
          "set_handshake",
          [](MediaSession& s, MediaSide side, DtlsRole role,
             const std::vector<std::string>& fingerprints,
             const std::optional<std::pair<std::string, std::string>>& ice,
             const std::string& remote_ice_ufrag, bool rtcp_mux) {
            take(open(s).set_handshake(
                side, handshake_of(role, fingerprints, ice, remote_ice_ufrag, rtcp_mux)));
          },
          "side"_a, py::kw_only(), "role"_a = DtlsRole::none,
          "fingerprints"_a = std::vector<std::string>(), "ice"_a = py::none(),
          "remote_ice_ufrag"_a = "", "rtcp_mux"_a = true)
      .def(
          "handshake",
          [](MediaSession& s, MediaSide side) {
            return media_handshake_state_name(open(s).handshake(side));
          },
          "side"_a)
      .def(
          "tap",
          [](MediaSession& s, std::size_t buffer_bytes) { return take(open(s).tap(buffer_bytes)); },
          "buffer_bytes"_a = 65'536)
      .def("untap", of_open(&MediaSession::untap))
      .def(
          "tap_audio",
          [](MediaSession& s, const std::optional<MediaAudio>& caller,
             const std::optional<MediaAudio>& callee, std::size_t buffer_bytes) {
            return take(AudioTap::of(open(s), caller.value_or(MediaAudio()),
                                     callee.value_or(MediaAudio()), buffer_bytes));
          },
          py::kw_only(), "caller"_a = py::none(), "callee"_a = py::none(),
          "buffer_bytes"_a = 65'536)
      .def(
          "set_audio",
          [](MediaSession& s, const MediaAudio& caller, const MediaAudio& callee) {
            take(open(s).set_audio(caller, callee));
          },
          "caller"_a, "callee"_a)
      .def("clear_audio", of_open(&MediaSession::clear_audio))
      .def(
          "play",
          [](MediaSession& s, MediaSide side, const Sounds& source, bool repeats,
             bool until_heard) {
            const AudioPlaylist list = take(load_sounds(source));
            take(open(s).play(side, list, {.repeats = repeats, .until_heard = until_heard}));
          },
          "side"_a, "source"_a, py::kw_only(), "repeats"_a = false, "until_heard"_a = true)
      .def("stop_playing", of_open(&MediaSession::stop_playing), "side"_a)
      .def("is_playing", of_open(&MediaSession::is_playing), "side"_a)
      .def(
          "press_key",
          [](MediaSession& s, MediaSide side, const std::string& key, std::uint32_t duration_ms) {
            take(open(s).press_key(side, key.size() == 1 ? key[0] : '\0', duration_ms));
          },
          "side"_a, "key"_a, "duration_ms"_a = 100)
      .def(
          "set_event_clock_rate_hz",
          [](MediaSession& s, MediaSide side, std::uint8_t payload_type, std::uint32_t rate_hz) {
            take(open(s).set_event_clock_rate_hz(side, payload_type, rate_hz));
          },
          "side"_a, "payload_type"_a, "rate_hz"_a)
      .def("set_clock_rate_hz", of_open(&MediaSession::set_clock_rate_hz), "side"_a, "rate_hz"_a)
      .def("relatch", of_open(&MediaSession::relatch), "side"_a, "window_ms"_a = 5000)
      .def("stats", of_open(&MediaSession::stats), "side"_a)
      .def("last_rtp_us", of_open(&MediaSession::last_rtp_us), "side"_a)
      .def("remote", of_open(&MediaSession::remote), "side"_a)
      .def("reported_lost", of_open(&MediaSession::reported_lost), "side"_a)
      .def("reported_jitter_us", of_open(&MediaSession::reported_jitter_us), "side"_a)
      .def("close", &MediaSession::close)
      .def_property_readonly("is_open", &MediaSession::is_open)
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](MediaSession& s, const py::args&) { s.close(); });

  py::class_<MediaRelayStats>(m, "MediaRelayStats")
      .def_readonly("sessions", &MediaRelayStats::sessions)
      .def_readonly("sessions_refused", &MediaRelayStats::sessions_refused)
      .def_readonly("port_pairs_bound", &MediaRelayStats::port_pairs_bound)
      .def_readonly("ports_busy", &MediaRelayStats::ports_busy)
      .def_readonly("packets_forwarded", &MediaRelayStats::packets_forwarded)
      .def_readonly("packets_refused", &MediaRelayStats::packets_refused)
      .def_readonly("packets_malformed", &MediaRelayStats::packets_malformed)
      .def_readonly("packets_stray", &MediaRelayStats::packets_stray)
      .def_readonly("packets_undeliverable", &MediaRelayStats::packets_undeliverable)
      .def_readonly("packets_discarded", &MediaRelayStats::packets_discarded)
      .def_readonly("send_failures", &MediaRelayStats::send_failures)
      .def_readonly("marks_refused", &MediaRelayStats::marks_refused)
      .def_readonly("priorities_refused", &MediaRelayStats::priorities_refused)
      .def_readonly("packets_overflowed", &MediaRelayStats::packets_overflowed)
      .def_readonly("ports_connected", &MediaRelayStats::ports_connected)
      .def_readonly("events_lost", &MediaRelayStats::events_lost)
      .def_readonly("taps_dropped", &MediaRelayStats::taps_dropped)
      .def_readonly("digits", &MediaRelayStats::digits)
      .def_readonly("packets_not_authentic", &MediaRelayStats::packets_not_authentic)
      .def_readonly("packets_not_sealed", &MediaRelayStats::packets_not_sealed)
      .def_readonly("streams_in_kernel", &MediaRelayStats::streams_in_kernel)
      .def_readonly("packets_in_kernel", &MediaRelayStats::packets_in_kernel)
      .def_readonly("packets_policed", &MediaRelayStats::packets_policed)
      .def_readonly("sessions_adopted", &MediaRelayStats::sessions_adopted)
      .def_readonly("sessions_unclaimed", &MediaRelayStats::sessions_unclaimed)
      .def_readonly("handshakes_agreed", &MediaRelayStats::handshakes_agreed)
      .def_readonly("handshakes_failed", &MediaRelayStats::handshakes_failed);

  py::class_<MediaBackendState>(m, "MediaBackendState")
      .def_property_readonly(
          "backend", [](const MediaBackendState& s) { return media_backend_name(s.backend); })
      .def_readonly("is_usable", &MediaBackendState::is_usable)
      .def_readonly("is_running", &MediaBackendState::is_running)
      .def_readonly("detail", &MediaBackendState::detail);

  py::class_<MediaRecording>(m, "MediaRecording")
      .def("stop", &MediaRecording::stop)
      .def(
          "set_payload",
          [](MediaRecording& recording, MediaSide side, std::uint8_t payload_type,
             const std::optional<std::string>& codec) {
            auto known = codec ? find_audio_codec(*codec) : nullptr;
            if (codec && known == nullptr)
              throw py::value_error("codec \"" + *codec + "\" was not known");
            take(recording.set_payload(side, payload_type, std::move(known)));
          },
          "side"_a, "payload_type"_a, "codec"_a)
      .def_property_readonly("file", &MediaRecording::file)
      .def_property_readonly("is_over", &MediaRecording::is_over);

  py::class_<RecorderStats>(m, "RecorderStats")
      .def_readonly("recordings", &RecorderStats::recordings)
      .def_readonly("files_written", &RecorderStats::files_written)
      .def_readonly("refused", &RecorderStats::refused)
      .def_readonly("without_audio", &RecorderStats::without_audio)
      .def_readonly("failed", &RecorderStats::failed)
      .def_readonly("cut_short", &RecorderStats::cut_short)
      .def_readonly("bytes_written", &RecorderStats::bytes_written)
      .def_readonly("packets_dropped", &RecorderStats::packets_dropped)
      .def_readonly("packets_skipped", &RecorderStats::packets_skipped)
      .def_readonly("packets_late", &RecorderStats::packets_late);

  py::class_<Recorder, Held<Recorder>>(m, "MediaRecorder")
      .def(py::init([](const std::string& folder, std::uint64_t file_bytes_max,
                       std::uint64_t free_bytes_min, unsigned recordings_max,
                       std::size_t buffer_bytes) {
             RecorderConfig config;
             config.folder = folder;
             config.file_bytes_max = file_bytes_max;
             config.free_bytes_min = free_bytes_min;
             config.recordings_max = recordings_max;
             config.buffer_bytes = buffer_bytes;
             return Held<Recorder>(
                 new Recorder{take(unlocked([&] { return MediaRecorder::create(config); }))});
           }),
           "folder"_a, py::kw_only(), "file_bytes_max"_a = 512U << 20,
           "free_bytes_min"_a = 1U << 30, "recordings_max"_a = 1000, "buffer_bytes"_a = 65'536)
      .def(
          "record",
          [](Recorder& recorder, MediaSession& session, const std::string& name) {
            return take(recorder.open().record(open(session), name));
          },
          "session"_a, "name"_a)
      .def("stats", [](Recorder& recorder) { return recorder.open().stats(); })
      .def("close", [](Recorder& recorder) { unlocked([&] { recorder.body.reset(); }); })
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__",
           [](Recorder& recorder, const py::args&) { unlocked([&] { recorder.body.reset(); }); });

  m.def(
      "repair_recording", [](const std::string& path) { return take(repair_recording(path)); },
      "path"_a);

  py::class_<Relay, Held<Relay>>(m, "MediaRelay")
      .def(py::init([](const std::string& address, const std::string& address6,
                       std::pair<std::uint16_t, std::uint16_t> ports, unsigned shards,
                       unsigned ready_pairs, std::uint8_t tos, int nice, unsigned events_max,
                       const std::vector<std::string>& event_kinds, unsigned files_reserved,
                       const std::string& backend, const std::vector<std::string>& interfaces,
                       const std::string& kernel_attach, const std::string& kernel_folder,
                       std::uint32_t kernel_packets_per_s_max,
                       std::uint32_t kernel_adopted_silence_ms,
                       std::pair<unsigned, unsigned> jitter_buffer_ms,
                       const std::string& dtls_certificate, const std::string& dtls_key) {
             MediaConfig config;
             config.address = address_or_none(address);
             config.address6 = address_or_none(address6);
             config.port_first = ports.first;
             config.port_last = ports.second;
             config.shards = shards;
             config.ready_pairs = ready_pairs;
             config.tos = tos;
             config.nice = nice;
             config.events_max = events_max;
             for (const std::string& name : event_kinds)
               config.event_kinds |= event_bit(name);
             config.files_reserved = files_reserved;
             config.backend = backend_named(backend);
             config.kernel.interfaces = interfaces;
             config.kernel.attach = attach_named(kernel_attach);
             config.kernel.folder = kernel_folder;
             config.kernel.packets_per_s_max = kernel_packets_per_s_max;
             config.kernel.adopted_silence_ms = kernel_adopted_silence_ms;
             std::tie(config.jitter_min_ms, config.jitter_max_ms) = jitter_buffer_ms;
             config.dtls_certificate = dtls_certificate;
             config.dtls_key = dtls_key;
             return Held<Relay>(new Relay{std::make_shared<MediaRelay>(
                 take(unlocked([&] { return MediaRelay::create(config); })))});
           }),
           "address"_a = "", py::kw_only(), "address6"_a = "",
           "ports"_a = std::pair<int, int>(10000, 19999), "shards"_a = 1, "ready_pairs"_a = 256,
           "tos"_a = 0, "nice"_a = -10, "events_max"_a = 0,
           "event_kinds"_a = std::vector<std::string>(), "files_reserved"_a = 0,
           "backend"_a = "auto", "kernel_interfaces"_a = std::vector<std::string>(),
           "kernel_attach"_a = "auto", "kernel_folder"_a = MediaKernelConfig{}.folder,
           "kernel_packets_per_s_max"_a = MediaKernelConfig{}.packets_per_s_max,
           "kernel_adopted_silence_ms"_a = MediaKernelConfig{}.adopted_silence_ms,
           "jitter_buffer_ms"_a = std::pair<unsigned, unsigned>(20, 200), "dtls_certificate"_a = "",
           "dtls_key"_a = "")
      .def("dtls_fingerprint",
           [](Relay& r) { return take(r.open()->dtls_fingerprint()).to_string(); })
      .def(
          "open",
          [](Relay& relay, int caller, int callee) {
            return take(relay.open()->open(family(caller), family(callee)));
          },
          "caller"_a = 4, "callee"_a = 4)
      .def(
          "adopt",
          [](Relay& relay, const std::string& caller_rtp, const std::string& callee_rtp) {
            return take(relay.open()->adopt(take(SocketAddress::parse(caller_rtp, 0)),
                                            take(SocketAddress::parse(callee_rtp, 0))));
          },
          "caller_rtp"_a, "callee_rtp"_a)
      .def("backends", [](Relay& relay) { return relay.open()->backends(); })
      .def("stats", [](Relay& relay) { return relay.open()->stats(); })
      .def(
          "take_events",
          [](Relay& relay, std::size_t events_max, std::int64_t wait_us) {
            constexpr std::int64_t wait_max_us = 60'000'000;
            constexpr std::int64_t slice_us = 100'000;  // signals are looked at in between
            std::int64_t left_us = std::min(wait_us, wait_max_us);
            for (;;) {
              std::shared_ptr<MediaRelay> body = relay.open();
              const std::int64_t now_us = std::min(left_us, slice_us);
              auto events = unlocked([&] {
                auto taken = body->take_events(events_max, now_us);
                body.reset();  // joins threads, when it was closed meanwhile
                return taken;
              });
              left_us -= now_us;
              if (!events.empty() || left_us <= 0) return events;
              if (PyErr_CheckSignals() != 0) throw py::error_already_set();
              if (!relay.body) return events;  // another thread closed it
            }
          },
          "events_max"_a = 1024, "wait_us"_a = 0)
      .def("close", [](Relay& relay) { relay.close(); })
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](Relay& relay, const py::args&) { relay.close(); });
}

}  // namespace binding
