// The media relay.
#include "capi/values.hpp"
#include "tandem/media_relay.hpp"

using namespace tandem;
using namespace tandem::capi;

struct tandem_media_relay {
  MediaRelay body;
};
struct tandem_media_session {
  MediaSession body;
};

static_assert(TANDEM_SIDE_CALLEE == static_cast<int>(MediaSide::callee));

namespace {

Result<MediaSide> read_side(std::int32_t side) {
  return read_enum(side, MediaSide::callee, "side");
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

}  // namespace

extern "C" {

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
    write_struct(out,
                 tandem_media_relay_stats{
                     0, s.sessions, s.sessions_refused, s.port_pairs_bound, s.ports_busy,
                     s.packets_forwarded, s.packets_refused, s.packets_malformed, s.packets_stray,
                     s.packets_undeliverable, s.packets_discarded, s.send_failures, s.marks_refused,
                     s.priorities_refused, s.packets_overflowed, s.ports_connected});
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

}  // extern "C"
