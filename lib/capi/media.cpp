// The media relay.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <tuple>
#include <vector>

#include "capi/values.hpp"
#include "tandem/audio_tap.hpp"
#include "tandem/media_recorder.hpp"
#include "tandem/media_relay.hpp"

using namespace tandem;
using namespace tandem::capi;

// As they were published, without events, taps, keys and second sockets.
template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_media_config> =
    offsetof(tandem_media_config, events_max);
template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_media_relay_stats> =
    offsetof(tandem_media_relay_stats, ports_connected);

template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_media_audio> =
    offsetof(tandem_media_audio, fmtp);

struct tandem_media_relay {
  MediaRelay body;
};
struct tandem_media_session {
  MediaSession body;
};

struct tandem_media_tap {
  MediaTap body;
  TappedPacket packet{};
};
struct tandem_audio_tap {
  AudioTap body;
  TappedAudio audio{};
};
struct tandem_media_recorder {
  MediaRecorder body;
};
struct tandem_media_recording {
  MediaRecording body;
};

static_assert(TANDEM_SIDE_CALLEE == static_cast<int>(MediaSide::callee));
static_assert(TANDEM_MEDIA_BACKEND_KERNEL == static_cast<int>(MediaBackend::kernel));
static_assert(TANDEM_MEDIA_ATTACH_TC == static_cast<int>(MediaAttach::tc));
static_assert(TANDEM_MEDIA_BLOCK == static_cast<int>(MediaPolicy::block));
static_assert(TANDEM_MEDIA_EVENT_DIGIT == static_cast<int>(MediaEvent::Kind::digit));
static_assert(TANDEM_MEDIA_REFUSAL_UNCHECKED == static_cast<int>(MediaRefusal::unchecked));
static_assert(TANDEM_MEDIA_CAUSE_FINGERPRINT_MISMATCH ==
              static_cast<int>(MediaCause::fingerprint_mismatch));
static_assert(TANDEM_DTLS_CLIENT == static_cast<int>(DtlsRole::client));
static_assert(TANDEM_HANDSHAKE_FINGERPRINT_MISMATCH ==
              static_cast<int>(MediaHandshakeState::fingerprint_mismatch));
static_assert(TANDEM_SRTP_AEAD_AES_256_GCM == static_cast<int>(SrtpSuite::aead_aes_256_gcm));
static_assert(TANDEM_MEDIA_KEYS_NONE == static_cast<int>(MediaKeys::none));

namespace {

Result<MediaSide> read_side(std::int32_t side) {
  return read_enum(side, MediaSide::callee, "side");
}

// Names with commas between them.
void read_interfaces(std::string_view text, std::vector<std::string>& names) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (end > 0) names.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

Result<MediaHandshake> read_handshake(const tandem_media_handshake* given) {
  MediaHandshake handshake;
  if (given == nullptr) return handshake;
  const auto read = read_struct(given, "tandem_media_handshake");
  if (!read) return read.error();
  const auto role = read_enum(read->role, DtlsRole::client, "role");
  if (!role) return role.error();
  handshake.role = *role;
  handshake.rtcp_mux = read->is_rtcp_separate == 0;
  for (std::string_view rest = view(read->fingerprints); !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    auto fingerprint = DtlsFingerprint::parse(line);
    if (!fingerprint) return fingerprint.error();
    handshake.fingerprints.push_back(std::move(*fingerprint));
  }
  handshake.ice_ufrag = view(read->ice_ufrag);
  handshake.ice_password = view(read->ice_password);
  handshake.remote_ice_ufrag = view(read->remote_ice_ufrag);
  return handshake;
}

Result<MediaAudio> read_audio(const tandem_media_audio* given) {
  const auto read = read_struct(given, "tandem_media_audio");
  if (!read) return read.error();
  MediaAudio audio;
  if (!view(read->codec).empty()) {
    audio.codec = find_audio_codec(view(read->codec), read->clock_rate_hz);
    if (audio.codec == nullptr)
      return Error{ErrorCode::not_found,
                   "codec \"" + std::string(view(read->codec)) + "\" was not known"};
  }
  if (read->payload_type > 127)
    return Error{ErrorCode::invalid_argument,
                 "payload_type " + std::to_string(read->payload_type) + " was not in 0..127"};
  const auto keys = read_enum(read->keys, MediaKeys::none, "keys");
  if (!keys) return keys.error();
  audio.payload_type = static_cast<std::uint8_t>(read->payload_type);
  audio.events_type = read->events_type;
  audio.ptime_ms = read->ptime_ms;
  audio.keys = *keys;
  audio.hears_tones = read->hears_tones != 0;
  audio.fmtp = view(read->fmtp);
  if (read->events_clock_rate_hz != 0) audio.events_clock_rate_hz = read->events_clock_rate_hz;
  return audio;
}

Result<IpAddress::Family> read_family(std::int32_t family) {
  if (family == TANDEM_IPV4) return IpAddress::Family::ipv4;
  if (family == TANDEM_IPV6) return IpAddress::Family::ipv6;
  return Error{ErrorCode::invalid_argument,
               "family " + std::to_string(family) + " is neither TANDEM_IPV4 nor TANDEM_IPV6"};
}

Result<void> read_address(const char* text, IpAddress::Family family, IpAddress& out) {
  if (view(text).empty()) return {};
  const auto address = IpAddress::parse(text);
  if (!address) return address.error();
  if (address->family != family)
    return Error{ErrorCode::invalid_argument,
                 "address \"" + copy(text) + "\" is of the other family"};
  out = *address;
  return {};
}

Result<std::vector<std::uint8_t>> read_types(const std::uint8_t* types, std::size_t count,
                                             const char* name) {
  constexpr std::size_t types_max = 128;
  if (count > 0 && types == nullptr)
    return Error{ErrorCode::invalid_argument, std::string(name) + " was NULL with a count"};
  if (count > types_max)
    return Error{ErrorCode::invalid_argument, std::to_string(count) + " payload types were given"};
  return std::vector<std::uint8_t>(types, types + count);
}

Result<std::vector<IpNetwork>> read_networks(const char* const* texts, std::size_t count,
                                             const char* name) {
  std::vector<std::string> read;
  if (auto done = read_texts(texts, count, name, read); !done) return done.error();
  std::vector<IpNetwork> networks;
  for (const std::string& text : read) {
    auto network = IpNetwork::parse(text);
    if (!network) return network.error();
    networks.push_back(*network);
  }
  return networks;
}

Result<SrtpKey> read_key(std::int32_t suite, const void* key, std::size_t size, const char* name) {
  const auto known = read_enum(suite, SrtpSuite::aead_aes_256_gcm, name);
  if (!known) return known.error();
  constexpr std::size_t bytes_max = 64;
  if ((size > 0 && key == nullptr) || size > bytes_max)
    return Error{ErrorCode::invalid_argument, std::string(name) + " had a key of " +
                                                  std::to_string(size) + " bytes" +
                                                  (key == nullptr ? ", which was NULL" : "")};
  return SrtpKey{*known,
                 size == 0 ? std::string() : std::string(static_cast<const char*>(key), size)};
}

tandem_media_event event_to_c(const MediaEvent& event) {
  tandem_media_event out{};
  out.struct_size = sizeof out;
  out.kind = static_cast<int32_t>(event.kind);
  out.side = static_cast<int32_t>(event.side);
  out.tag = event.tag;
  out.at_us = event.at_us;
  if (event.source.port != 0) out.source = to_c(event.source);
  out.refusal = static_cast<int32_t>(event.refusal);
  out.refused = event.refused;
  out.digit = event.digit;
  out.duration_ms = event.duration_ms;
  out.is_end_lost = event.is_end_lost ? 1 : 0;
  out.silence_ms = event.silence_ms;
  out.loss_permille = event.loss_permille;
  out.handshake = static_cast<int32_t>(event.handshake);
  return out;
}

}  // namespace

extern "C" {

const char* tandem_media_cause_name(int32_t cause) {
  if (cause < 0 || cause > TANDEM_MEDIA_CAUSE_FINGERPRINT_MISMATCH) return "";
  return media_cause_name(static_cast<MediaCause>(cause));
}

int tandem_media_relay_create(const tandem_media_config* config, tandem_media_relay** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    const auto read = read_struct(config, "tandem_media_config");
    TANDEM_CAPI_TRY(read);
    MediaConfig media;
    TANDEM_CAPI_TRY(read_address(read->address, IpAddress::Family::ipv4, media.address));
    TANDEM_CAPI_TRY(read_address(read->address6, IpAddress::Family::ipv6, media.address6));
    if (read->port_first != 0) media.port_first = read->port_first;
    if (read->port_last != 0) media.port_last = read->port_last;
    if (read->shards != 0) media.shards = read->shards;
    if (read->ready_pairs != 0) media.ready_pairs = read->ready_pairs;
    if (read->rest_ms < -1)
      return fail(ErrorCode::invalid_argument,
                  "rest_ms " + std::to_string(read->rest_ms) + " was given");
    if (read->rest_ms != 0)
      media.rest_ms = read->rest_ms == -1 ? 0 : static_cast<unsigned>(read->rest_ms);
    if (read->tos < 0 || read->tos > 255)
      return fail(ErrorCode::invalid_argument, "tos " + std::to_string(read->tos) + " was given");
    media.tos = static_cast<std::uint8_t>(read->tos);
    if (read->nice < -20 || read->nice > 1)
      return fail(ErrorCode::invalid_argument, "nice " + std::to_string(read->nice) + " was given");
    if (read->nice != 0) media.nice = read->nice == 1 ? 0 : read->nice;
    media.events_max = read->events_max;
    media.event_kinds = read->event_kinds;
    media.files_reserved = read->files_reserved;
    const auto backend = read_enum(read->backend, MediaBackend::kernel, "backend");
    TANDEM_CAPI_TRY(backend);
    media.backend = *backend;
    const auto attach = read_enum(read->kernel_attach, MediaAttach::tc, "kernel_attach");
    TANDEM_CAPI_TRY(attach);
    media.kernel.attach = *attach;
    read_interfaces(view(read->kernel_interfaces), media.kernel.interfaces);
    if (!view(read->kernel_folder).empty()) media.kernel.folder = view(read->kernel_folder);
    if (read->kernel_packets_per_s_max != 0)
      media.kernel.packets_per_s_max =
          read->kernel_packets_per_s_max == UINT32_MAX ? 0 : read->kernel_packets_per_s_max;
    if (read->kernel_adopted_silence_ms != 0)
      media.kernel.adopted_silence_ms = read->kernel_adopted_silence_ms;
    for (const auto& [name, given, to] :
         {std::tuple{"jitter_min_ms", read->jitter_min_ms, &media.jitter_min_ms},
          std::tuple{"jitter_max_ms", read->jitter_max_ms, &media.jitter_max_ms}}) {
      if (given < -1)
        return fail(ErrorCode::invalid_argument,
                    std::string(name) + ' ' + std::to_string(given) + " was given");
      if (given != 0) *to = given == -1 ? 0 : static_cast<unsigned>(given);
    }
    media.dtls_certificate = view(read->dtls_certificate);
    media.dtls_key = view(read->dtls_key);
    auto relay = MediaRelay::create(media);
    TANDEM_CAPI_TRY(relay);
    *out = new tandem_media_relay{std::move(*relay)};
    return TANDEM_OK;
  });
}

int tandem_media_relay_read_stats(const tandem_media_relay* relay, tandem_media_relay_stats* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(relay);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_media_relay_stats"));
    const MediaRelayStats s = relay->body.stats();
    write_struct(out, tandem_media_relay_stats{0,
                                               s.sessions,
                                               s.sessions_refused,
                                               s.port_pairs_bound,
                                               s.ports_busy,
                                               s.packets_forwarded,
                                               s.packets_refused,
                                               s.packets_malformed,
                                               s.packets_stray,
                                               s.packets_undeliverable,
                                               s.packets_discarded,
                                               s.send_failures,
                                               s.marks_refused,
                                               s.priorities_refused,
                                               s.packets_overflowed,
                                               s.ports_connected,
                                               s.events_lost,
                                               s.taps_dropped,
                                               s.digits,
                                               s.packets_not_authentic,
                                               s.packets_not_sealed,
                                               s.streams_in_kernel,
                                               s.packets_in_kernel,
                                               s.packets_policed,
                                               s.sessions_adopted,
                                               s.sessions_unclaimed,
                                               s.handshakes_agreed,
                                               s.handshakes_failed});
    return TANDEM_OK;
  });
}

const char* tandem_media_backend_name(int32_t backend) {
  if (backend < 0 || backend > TANDEM_MEDIA_BACKEND_KERNEL) return "";
  return media_backend_name(static_cast<MediaBackend>(backend));
}

int tandem_media_relay_backend(const tandem_media_relay* relay, int32_t backend,
                               int32_t* is_running, int32_t* is_usable, tandem_text** detail) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(relay);
    for (const MediaBackendState& state : relay->body.backends()) {
      if (static_cast<int32_t>(state.backend) != backend) continue;
      if (is_running != nullptr) *is_running = state.is_running ? 1 : 0;
      if (is_usable != nullptr) *is_usable = state.is_usable ? 1 : 0;
      return detail == nullptr ? TANDEM_OK : give(state.detail, detail);
    }
    return fail(ErrorCode::invalid_argument, "backend " + std::to_string(backend) + " was given");
  });
}

int tandem_media_relay_adopt(tandem_media_relay* relay, const char* caller_rtp,
                             const char* callee_rtp, tandem_media_session** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(relay);
    TANDEM_CAPI_NOT_NULL(out);
    const auto caller = SocketAddress::parse(view(caller_rtp), 0);
    TANDEM_CAPI_TRY(caller);
    const auto callee = SocketAddress::parse(view(callee_rtp), 0);
    TANDEM_CAPI_TRY(callee);
    auto session = relay->body.adopt(*caller, *callee);
    TANDEM_CAPI_TRY(session);
    *out = new tandem_media_session{std::move(*session)};
    return TANDEM_OK;
  });
}

void tandem_media_relay_destroy(tandem_media_relay* relay) { delete relay; }

int tandem_media_session_open(tandem_media_relay* relay, int32_t caller, int32_t callee,
                              tandem_media_session** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(relay);
    TANDEM_CAPI_NOT_NULL(out);
    const auto caller_family = read_family(caller);
    TANDEM_CAPI_TRY(caller_family);
    const auto callee_family = read_family(callee);
    TANDEM_CAPI_TRY(callee_family);
    auto session = relay->body.open(*caller_family, *callee_family);
    TANDEM_CAPI_TRY(session);
    *out = new tandem_media_session{std::move(*session)};
    return TANDEM_OK;
  });
}

int tandem_media_session_local(const tandem_media_session* session, int32_t side,
                               tandem_address* rtp, tandem_address* rtcp) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    TANDEM_CAPI_NOT_NULL(rtp);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    *rtp = to_c(session->body.local_rtp(*which));
    if (rtcp != nullptr) *rtcp = to_c(session->body.local_rtcp(*which));
    return TANDEM_OK;
  });
}

int tandem_media_session_set_remote(tandem_media_session* session, int32_t side, const char* rtp,
                                    const char* rtcp) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    TANDEM_CAPI_NOT_NULL(rtp);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    const auto rtp_address = SocketAddress::parse(rtp);
    TANDEM_CAPI_TRY(rtp_address);
    SocketAddress rtcp_address;
    if (rtcp != nullptr) {
      const auto parsed = SocketAddress::parse(rtcp);
      TANDEM_CAPI_TRY(parsed);
      rtcp_address = *parsed;
    }
    TANDEM_CAPI_TRY(session->body.set_remote(*which, *rtp_address, rtcp_address));
    return TANDEM_OK;
  });
}

int tandem_media_session_set_flags(tandem_media_session* session, int32_t side, uint32_t flags) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    constexpr uint32_t known = TANDEM_MEDIA_STRICT_SOURCE | TANDEM_MEDIA_PREFER_SIGNALLED |
                               TANDEM_MEDIA_TRANSPARENT | TANDEM_MEDIA_DISCARD;
    if ((flags & ~known) != 0)
      return fail(ErrorCode::unsupported, "flags " + std::to_string(flags) + " were given");
    session->body.set_flags(*which,
                            {.strict_source = (flags & TANDEM_MEDIA_STRICT_SOURCE) != 0,
                             .prefer_signalled = (flags & TANDEM_MEDIA_PREFER_SIGNALLED) != 0,
                             .transparent = (flags & TANDEM_MEDIA_TRANSPARENT) != 0,
                             .discard = (flags & TANDEM_MEDIA_DISCARD) != 0});
    return TANDEM_OK;
  });
}

int tandem_media_relay_take_events(tandem_media_relay* relay, size_t events_max, int64_t wait_us,
                                   tandem_media_event_fn function, void* user) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(relay);
    TANDEM_CAPI_NOT_NULL(function);
    if (wait_us < 0 || wait_us > 60'000'000)
      return fail(ErrorCode::invalid_argument, "wait_us " + std::to_string(wait_us) + " was given");
    for (const MediaEvent& event : relay->body.take_events(events_max, wait_us)) {
      const tandem_media_event out = event_to_c(event);
      function(&out, user);
    }
    return TANDEM_OK;
  });
}

int tandem_media_session_set_policy(tandem_media_session* session, int32_t side, int32_t policy) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    const auto what = read_enum(policy, MediaPolicy::block, "policy");
    TANDEM_CAPI_TRY(what);
    session->body.set_policy(*which, *what);
    return TANDEM_OK;
  });
}

int tandem_media_session_set_tag(tandem_media_session* session, uint64_t tag) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    session->body.set_tag(tag);
    return TANDEM_OK;
  });
}

int tandem_media_session_set_payloads(tandem_media_session* session, int32_t side,
                                      const uint8_t* negotiated, size_t negotiated_count,
                                      const uint8_t* keys, size_t keys_count) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    const auto all = read_types(negotiated, negotiated_count, "negotiated");
    TANDEM_CAPI_TRY(all);
    const auto of_keys = read_types(keys, keys_count, "keys");
    TANDEM_CAPI_TRY(of_keys);
    TANDEM_CAPI_TRY(session->body.set_payloads(*which, *all, *of_keys));
    return TANDEM_OK;
  });
}

int tandem_media_session_set_watch(tandem_media_session* session, int32_t side, uint32_t silence_ms,
                                   uint32_t loss_permille, uint32_t loss_window_ms) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    MediaWatch watch;
    watch.silence_ms = silence_ms;
    watch.loss_permille = loss_permille;
    if (loss_window_ms != 0) watch.loss_window_ms = loss_window_ms;
    TANDEM_CAPI_TRY(session->body.set_watch(*which, watch));
    return TANDEM_OK;
  });
}

int tandem_media_session_set_sources(tandem_media_session* session, int32_t side,
                                     const char* const* allow, size_t allow_count,
                                     const char* const* deny, size_t deny_count) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    auto allowed = read_networks(allow, allow_count, "allow");
    TANDEM_CAPI_TRY(allowed);
    auto denied = read_networks(deny, deny_count, "deny");
    TANDEM_CAPI_TRY(denied);
    TANDEM_CAPI_TRY(
        session->body.set_sources(*which, MediaSources{std::move(*allowed), std::move(*denied)}));
    return TANDEM_OK;
  });
}

const char* tandem_srtp_suite_name(int32_t suite) {
  if (suite < 0 || suite > TANDEM_SRTP_AEAD_AES_256_GCM) return "";
  return srtp_suite_name(static_cast<SrtpSuite>(suite));
}

size_t tandem_srtp_key_bytes(int32_t suite) {
  if (suite < 0 || suite > TANDEM_SRTP_AEAD_AES_256_GCM) return 0;
  return srtp_key_bytes(static_cast<SrtpSuite>(suite));
}

int tandem_media_session_set_crypto(tandem_media_session* session, int32_t side,
                                    int32_t receive_suite, const void* receive_key,
                                    size_t receive_key_bytes, int32_t send_suite,
                                    const void* send_key, size_t send_key_bytes) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    auto receive = read_key(receive_suite, receive_key, receive_key_bytes, "receive_suite");
    TANDEM_CAPI_TRY(receive);
    auto send = read_key(send_suite, send_key, send_key_bytes, "send_suite");
    TANDEM_CAPI_TRY(send);
    TANDEM_CAPI_TRY(
        session->body.set_crypto(*which, MediaCrypto{std::move(*receive), std::move(*send)}));
    return TANDEM_OK;
  });
}

const char* tandem_media_handshake_state_name(int32_t state) {
  if (state < 0 || state > TANDEM_HANDSHAKE_FINGERPRINT_MISMATCH) return "";
  return media_handshake_state_name(static_cast<MediaHandshakeState>(state));
}

int tandem_media_session_set_handshake(tandem_media_session* session, int32_t side,
                                       const tandem_media_handshake* handshake) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    auto asked = read_handshake(handshake);
    TANDEM_CAPI_TRY(asked);
    TANDEM_CAPI_TRY(session->body.set_handshake(*which, *asked));
    return TANDEM_OK;
  });
}

int tandem_media_session_handshake(const tandem_media_session* session, int32_t side,
                                   int32_t* state) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    TANDEM_CAPI_NOT_NULL(state);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    *state = static_cast<int32_t>(session->body.handshake(*which));
    return TANDEM_OK;
  });
}

int tandem_media_relay_dtls_fingerprint(tandem_media_relay* relay, tandem_text** fingerprint) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(relay);
    TANDEM_CAPI_NOT_NULL(fingerprint);
    const auto own = relay->body.dtls_fingerprint();
    TANDEM_CAPI_TRY(own);
    return give(own->to_string(), fingerprint);
  });
}

int tandem_media_tap_create(tandem_media_session* session, size_t buffer_bytes,
                            tandem_media_tap** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    TANDEM_CAPI_NOT_NULL(out);
    auto tap = buffer_bytes == 0 ? session->body.tap() : session->body.tap(buffer_bytes);
    TANDEM_CAPI_TRY(tap);
    *out = new tandem_media_tap{std::move(*tap)};
    return TANDEM_OK;
  });
}

int tandem_media_tap_take(tandem_media_tap* tap, int32_t* side, int64_t* at_us, void* buffer,
                          size_t capacity, size_t* size) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(tap);
    TANDEM_CAPI_NOT_NULL(size);
    if (buffer == nullptr && capacity > 0)
      return fail(ErrorCode::invalid_argument, "buffer was NULL with a capacity");
    if (!tap->body.take(tap->packet)) return fail(ErrorCode::not_found, "no packet waits");
    *size = tap->packet.bytes.size();
    if (side != nullptr) *side = static_cast<int32_t>(tap->packet.side);
    if (at_us != nullptr) *at_us = tap->packet.at_us;
    if (*size > capacity)
      return fail(ErrorCode::too_small, "a packet of " + std::to_string(*size) +
                                            " bytes did not fit into " + std::to_string(capacity));
    std::memcpy(buffer, tap->packet.bytes.data(), *size);
    return TANDEM_OK;
  });
}

uint64_t tandem_media_tap_dropped(const tandem_media_tap* tap) {
  return tap == nullptr ? 0 : tap->body.dropped();
}

void tandem_media_tap_destroy(tandem_media_tap* tap) {
  if (tap != nullptr) tap->body.end();
  delete tap;
}

int tandem_media_recorder_create(const tandem_recorder_config* config,
                                 tandem_media_recorder** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    const auto read = read_struct(config, "tandem_recorder_config");
    TANDEM_CAPI_TRY(read);
    RecorderConfig recording;
    recording.folder = copy(read->folder);
    if (read->file_bytes_max != 0) recording.file_bytes_max = read->file_bytes_max;
    if (read->free_bytes_min < -1)
      return fail(ErrorCode::invalid_argument,
                  "free_bytes_min " + std::to_string(read->free_bytes_min) + " was given");
    if (read->free_bytes_min != 0)
      recording.free_bytes_min =
          read->free_bytes_min == -1 ? 0 : static_cast<std::uint64_t>(read->free_bytes_min);
    if (read->recordings_max != 0) recording.recordings_max = read->recordings_max;
    if (read->buffer_bytes != 0) recording.buffer_bytes = read->buffer_bytes;
    auto recorder = MediaRecorder::create(recording);
    TANDEM_CAPI_TRY(recorder);
    *out = new tandem_media_recorder{std::move(*recorder)};
    return TANDEM_OK;
  });
}

void tandem_media_recorder_destroy(tandem_media_recorder* recorder) { delete recorder; }

int tandem_media_recorder_record(tandem_media_recorder* recorder, tandem_media_session* session,
                                 const char* name, tandem_media_recording** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(recorder);
    TANDEM_CAPI_NOT_NULL(session);
    TANDEM_CAPI_NOT_NULL(name);
    auto recording = recorder->body.record(session->body, name);
    TANDEM_CAPI_TRY(recording);
    if (out != nullptr) *out = new tandem_media_recording{std::move(*recording)};
    return TANDEM_OK;
  });
}

int tandem_media_recording_stop(tandem_media_recording* recording) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(recording);
    recording->body.stop();
    return TANDEM_OK;
  });
}

int tandem_media_recording_set_payload(tandem_media_recording* recording, int32_t side,
                                       int32_t payload_type, const char* codec,
                                       uint32_t clock_rate_hz) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(recording);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    if (payload_type < 0 || payload_type > 127)
      return fail(ErrorCode::invalid_argument,
                  "payload_type " + std::to_string(payload_type) + " was given");
    std::shared_ptr<const AudioCodec> known;
    if (codec != nullptr) {
      known = find_audio_codec(codec, clock_rate_hz);
      if (known == nullptr)
        return fail(ErrorCode::not_found, "codec \"" + std::string(codec) + "\" was not known");
    }
    TANDEM_CAPI_TRY(recording->body.set_payload(*which, static_cast<std::uint8_t>(payload_type),
                                                std::move(known)));
    return TANDEM_OK;
  });
}

int tandem_media_recording_file(const tandem_media_recording* recording, int32_t* is_over,
                                tandem_text** file) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(recording);
    TANDEM_CAPI_NOT_NULL(file);
    if (is_over != nullptr) *is_over = recording->body.is_over() ? 1 : 0;
    return give(recording->body.file(), file);
  });
}

void tandem_media_recording_destroy(tandem_media_recording* recording) { delete recording; }

int tandem_repair_recording(const char* path, int32_t* is_changed) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(path);
    const auto changed = repair_recording(path);
    TANDEM_CAPI_TRY(changed);
    if (is_changed != nullptr) *is_changed = *changed ? 1 : 0;
    return TANDEM_OK;
  });
}

int tandem_media_session_set_clock_rate(tandem_media_session* session, int32_t side,
                                        uint32_t rate_hz) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    if (rate_hz < 1 || rate_hz > 1'000'000)
      return fail(ErrorCode::invalid_argument, "rate_hz " + std::to_string(rate_hz) + " was given");
    session->body.set_clock_rate_hz(*which, rate_hz);
    return TANDEM_OK;
  });
}

int tandem_media_session_set_event_clock_rate(tandem_media_session* session, int32_t side,
                                              int32_t payload_type, uint32_t rate_hz) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    if (payload_type < 0 || payload_type > 127)
      return fail(ErrorCode::invalid_argument,
                  "payload_type " + std::to_string(payload_type) + " was given");
    TANDEM_CAPI_TRY(session->body.set_event_clock_rate_hz(
        *which, static_cast<std::uint8_t>(payload_type), rate_hz));
    return TANDEM_OK;
  });
}

int tandem_media_session_relatch(tandem_media_session* session, int32_t side, uint32_t window_ms) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    if (window_ms > 60'000)
      return fail(ErrorCode::invalid_argument,
                  "window_ms " + std::to_string(window_ms) + " was given");
    session->body.relatch(*which, window_ms);
    return TANDEM_OK;
  });
}

int tandem_media_session_stats(const tandem_media_session* session, int32_t side,
                               tandem_media_side_stats* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_media_side_stats"));
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    write_struct(out, to_c(session->body.stats(*which)));
    return TANDEM_OK;
  });
}

int tandem_media_session_last_rtp(const tandem_media_session* session, int32_t side,
                                  int64_t* monotonic_us) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    TANDEM_CAPI_NOT_NULL(monotonic_us);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    *monotonic_us = session->body.last_rtp_us(*which);
    return TANDEM_OK;
  });
}

int tandem_media_session_reported_lost(const tandem_media_session* session, int32_t side,
                                       uint64_t* packets) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    TANDEM_CAPI_NOT_NULL(packets);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    const auto lost = session->body.reported_lost(*which);
    if (!lost) return fail(ErrorCode::not_found, "no report of losses came");
    *packets = *lost;
    return TANDEM_OK;
  });
}

void tandem_media_session_destroy(tandem_media_session* session) { delete session; }

int tandem_media_session_set_audio(tandem_media_session* session, const tandem_media_audio* caller,
                                   const tandem_media_audio* callee) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    TANDEM_CAPI_NOT_NULL(caller);
    TANDEM_CAPI_NOT_NULL(callee);
    const auto of_caller = read_audio(caller);
    TANDEM_CAPI_TRY(of_caller);
    const auto of_callee = read_audio(callee);
    TANDEM_CAPI_TRY(of_callee);
    TANDEM_CAPI_TRY(session->body.set_audio(*of_caller, *of_callee));
    return TANDEM_OK;
  });
}

int tandem_media_session_clear_audio(tandem_media_session* session) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    session->body.clear_audio();
    return TANDEM_OK;
  });
}

int tandem_audio_tap_create(tandem_media_session* session, const tandem_media_audio* caller,
                            const tandem_media_audio* callee, size_t buffer_bytes,
                            tandem_audio_tap** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    TANDEM_CAPI_NOT_NULL(caller);
    TANDEM_CAPI_NOT_NULL(callee);
    TANDEM_CAPI_NOT_NULL(out);
    const auto of_caller = read_audio(caller);
    TANDEM_CAPI_TRY(of_caller);
    const auto of_callee = read_audio(callee);
    TANDEM_CAPI_TRY(of_callee);
    auto tap = buffer_bytes == 0
                   ? AudioTap::of(session->body, *of_caller, *of_callee)
                   : AudioTap::of(session->body, *of_caller, *of_callee, buffer_bytes);
    TANDEM_CAPI_TRY(tap);
    *out = new tandem_audio_tap{std::move(*tap)};
    return TANDEM_OK;
  });
}

int tandem_audio_tap_take(tandem_audio_tap* tap, tandem_tapped_audio* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(tap);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_tapped_audio"));
    TappedAudio& audio = tap->audio;
    if (!tap->body.take(audio)) return fail(ErrorCode::not_found, "no packet waits");
    write_struct(out,
                 tandem_tapped_audio{sizeof(tandem_tapped_audio), static_cast<int32_t>(audio.side),
                                     audio.at_us, audio.ssrc, audio.timestamp, audio.sequence,
                                     audio.rate_hz, audio.samples.data(), audio.samples.size()});
    return TANDEM_OK;
  });
}

uint64_t tandem_audio_tap_skipped(const tandem_audio_tap* tap) {
  return tap == nullptr ? 0 : tap->body.skipped();
}

uint64_t tandem_audio_tap_dropped(const tandem_audio_tap* tap) {
  return tap == nullptr ? 0 : tap->body.dropped();
}

void tandem_audio_tap_destroy(tandem_audio_tap* tap) {
  if (tap != nullptr) tap->body.end();
  delete tap;
}

int tandem_media_session_play(tandem_media_session* session, int32_t side, const char* source,
                              int32_t repeats, int32_t until_heard) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    TANDEM_CAPI_NOT_NULL(source);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    const auto clip = AudioClip::load(source);
    TANDEM_CAPI_TRY(clip);
    TANDEM_CAPI_TRY(session->body.play(*which, *clip,
                                       {.repeats = repeats != 0, .until_heard = until_heard != 0}));
    return TANDEM_OK;
  });
}

int tandem_media_session_play_list(tandem_media_session* session, int32_t side,
                                   const char* const* sources, size_t source_count, int32_t repeats,
                                   int32_t until_heard) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    TANDEM_CAPI_NOT_NULL(sources);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    if (source_count == 0) return fail(ErrorCode::invalid_argument, "source_count was 0");
    std::vector<std::string> paths;
    for (size_t i = 0; i < std::min(source_count, AudioPlaylist::clips_max + 1); ++i) {
      TANDEM_CAPI_NOT_NULL(sources[i]);
      paths.emplace_back(sources[i]);
    }
    const auto list = AudioPlaylist::load(paths);
    TANDEM_CAPI_TRY(list);
    TANDEM_CAPI_TRY(session->body.play(*which, *list,
                                       {.repeats = repeats != 0, .until_heard = until_heard != 0}));
    return TANDEM_OK;
  });
}

int tandem_media_session_stop_playing(tandem_media_session* session, int32_t side) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    session->body.stop_playing(*which);
    return TANDEM_OK;
  });
}

int tandem_media_session_press_key(tandem_media_session* session, int32_t side, char key,
                                   uint32_t duration_ms) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(session);
    const auto which = read_side(side);
    TANDEM_CAPI_TRY(which);
    TANDEM_CAPI_TRY(session->body.press_key(*which, key, duration_ms));
    return TANDEM_OK;
  });
}

}  // extern "C"
