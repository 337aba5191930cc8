// The media relay.
#include "binding.hpp"
#include "tandem/media_relay.hpp"

using namespace tandem;
using namespace pybind11::literals;

namespace binding {
namespace {

/// A relay that can be closed before its object goes.
struct Relay {
  std::optional<MediaRelay> body;
  MediaRelay& open() {
    if (!body) throw Failure{{ErrorCode::wrong_state, "the relay was closed"}};
    return *body;
  }
};

IpAddress address_or_none(const std::string& text) {
  return text.empty() ? IpAddress() : take(IpAddress::parse(text));
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
      .def_readwrite("remote", &MediaSideStats::remote);

  py::class_<MediaSession>(m, "MediaSession")
      .def("local_rtp", &MediaSession::local_rtp, "side"_a)
      .def("local_rtcp", &MediaSession::local_rtcp, "side"_a)
      .def(
          "set_remote",
          [](MediaSession& s, MediaSide side, const SocketAddress& rtp,
             const std::optional<SocketAddress>& rtcp) {
            take(s.set_remote(side, rtp, rtcp.value_or(SocketAddress())));
          },
          "side"_a, "rtp"_a, "rtcp"_a = py::none())
      .def(
          "set_flags",
          [](MediaSession& s, MediaSide side, bool strict, bool prefer, bool transparent,
             bool discard) {
            s.set_flags(side, {strict, prefer, transparent, discard});
          },
          "side"_a, py::kw_only(), "strict_source"_a = false, "prefer_signalled"_a = false,
          "transparent"_a = false, "discard"_a = false)
      .def("set_clock_rate_hz", &MediaSession::set_clock_rate_hz, "side"_a, "rate_hz"_a)
      .def("relatch", &MediaSession::relatch, "side"_a, "window_ms"_a = 5000)
      .def("stats", &MediaSession::stats, "side"_a)
      .def("last_rtp_us", &MediaSession::last_rtp_us, "side"_a)
      .def("remote", &MediaSession::remote, "side"_a)
      .def("reported_lost", &MediaSession::reported_lost, "side"_a)
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
      .def_readonly("ports_connected", &MediaRelayStats::ports_connected);

  py::class_<Relay, Held<Relay>>(m, "MediaRelay")
      .def(py::init([](const std::string& address, const std::string& address6,
                       std::pair<std::uint16_t, std::uint16_t> ports, unsigned shards,
                       unsigned ready_pairs, std::uint8_t tos, int nice) {
             MediaConfig config;
             config.address = address_or_none(address);
             config.address6 = address_or_none(address6);
             config.port_first = ports.first;
             config.port_last = ports.second;
             config.shards = shards;
             config.ready_pairs = ready_pairs;
             config.tos = tos;
             config.nice = nice;
             return Held<Relay>(
                 new Relay{take(unlocked([&] { return MediaRelay::create(config); }))});
           }),
           "address"_a = "", py::kw_only(), "address6"_a = "",
           "ports"_a = std::pair<int, int>(10000, 19999), "shards"_a = 1, "ready_pairs"_a = 256,
           "tos"_a = 0, "nice"_a = -10)
      .def(
          "open",
          [](Relay& relay, int caller, int callee) {
            return take(relay.open().open(family(caller), family(callee)));
          },
          "caller"_a = 4, "callee"_a = 4)
      .def("stats", [](Relay& relay) { return relay.open().stats(); })
      .def("close", [](Relay& relay) { unlocked([&] { relay.body.reset(); }); })
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__",
           [](Relay& relay, const py::args&) { unlocked([&] { relay.body.reset(); }); });
}

}  // namespace binding
