#include "admin/metrics.hpp"

#include <functional>
#include <initializer_list>
#include <utility>

#include "base/text.hpp"
#include "tandem/version.h"

namespace tandem::admin {
namespace {

class Page {
 public:
  void family(const char* name, const char* type, const char* help) {
    name_ = name;
    text_ += std::string("# HELP tandem_") + name + " " + help + "\n# TYPE tandem_" + name + " " +
             type + "\n";
  }
  template <class T>
  void sample(T value, const std::string& labels = {}) {
    text_ += "tandem_" + name_ + (labels.empty() ? "" : "{" + labels + "}") + " ";
    append_integer(text_, value);
    text_ += '\n';
  }
  template <class T>
  void single(const char* name, const char* type, const char* help, T value) {
    family(name, type, help);
    sample(value);
  }
  /// A sample for each of `all`: `value` and `labels` of it, each a function or a member.
  template <class Range, class Value, class Labels>
  void each(const char* name, const char* type, const char* help, const Range& all, Value value,
            Labels labels) {
    family(name, type, help);
    for (const auto& one : all)
      sample(std::invoke(value, one), std::invoke(labels, one));
  }
  /// A family whose samples differ in one label.
  void by(const char* name, const char* type, const char* help, std::string_view label,
          std::initializer_list<std::pair<const char*, std::uint64_t>> values) {
    family(name, type, help);
    for (const auto& [word, value] : values)
      sample(value, std::string(label) + "=\"" + word + '"');
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

std::string labels_of(const GatewayView& gateway) {
  return "gateway=\"" + escaped(gateway.id) + "\",kind=\"" +
         (gateway.is_vendor ? "vendor" : "customer") + "\"";
}

}  // namespace

std::string metrics_text(const SwitchCounters& counters, const std::vector<GatewayView>& gateways,
                         const MaintenanceState& maintenance, const http::ServerCounters& server) {
  Page page;
  page.family("build_info", "gauge", "Version of the library; the value is 1.");
  page.sample(1, "version=\"" TANDEM_VERSION_STRING "\"");
  page.single("calls_started_total", "counter", "Calls that arrived.", counters.calls_started);
  page.single("calls_answered_total", "counter", "Calls that were answered.",
              counters.calls_answered);
  page.single("calls_ended_total", "counter", "Calls that ended, answered or not.",
              counters.calls_ended);
  page.single("calls_refused_total", "counter", "Calls refused before a vendor was tried.",
              counters.calls_refused);
  page.single("calls_live", "gauge", "Calls that are up now, in any state.", counters.calls_live);
  page.single("draining", "gauge", "1 while new calls are refused because the switch is stopping.",
              counters.is_draining ? 1 : 0);
  page.family("worker_calls_total", "counter", "Calls that arrived, by call worker.");
  for (std::size_t i = 0; i < counters.calls_by_worker.size(); ++i)
    page.sample(counters.calls_by_worker[i], "worker=\"" + std::to_string(i) + "\"");
  page.single("dialogs_live", "gauge", "SIP dialogs now.", counters.dialogs_live);
  page.single("transactions_live", "gauge", "SIP transactions now.", counters.transactions_live);
  page.single("sip_memory_bytes", "gauge",
              "Memory that pools and tables of SIP transactions and dialogs hold.",
              counters.sip_memory_bytes);
  page.single("media_sessions_live", "gauge", "Relayed media sessions now.",
              counters.media_sessions_live);
  page.each("gateway_calls", "gauge", "Calls of a gateway now.", gateways, &GatewayView::calls,
            labels_of);
  page.each("gateway_line_limit", "gauge", "Most simultaneous calls of a gateway; -1: unlimited.",
            gateways, &GatewayView::line_limit, labels_of);
  page.each(
      "gateway_locked", "gauge", "1 for a locked gateway.", gateways,
      [](const GatewayView& gateway) { return gateway.locked ? 1 : 0; }, labels_of);
  page.family("gateway_online", "gauge",
              "1 while a gateway that registers here, or that the switch registers at, is there.");
  for (const GatewayView& gateway : gateways)
    if (gateway.registration != GatewayRegistration::fixed)
      page.sample(gateway.is_registered ? 1 : 0, labels_of(gateway));
  page.single("registrants_online", "gauge", "Phones and gateways that are registered here now.",
              counters.registrants_online);
  const WebhookState& notices = counters.phone_notices;
  page.family("phone_notices_total", "counter", "Notices of phones, by what became of them.");
  page.sample(notices.delivered, "result=\"delivered\"");
  page.sample(notices.refused, "result=\"refused\"");
  page.sample(notices.expired, "result=\"expired\"");
  page.sample(notices.dropped, "result=\"dropped\"");
  page.single("phone_notice_failures_total", "counter",
              "Attempts to tell of a phone that came to nothing.", notices.failures);
  page.single("phone_notices_waiting", "gauge", "Notices of phones that are not delivered yet.",
              notices.waiting);
  page.single("phone_notices_failing", "gauge", "1 while notices of phones are not taken.",
              notices.is_failing ? 1 : 0);
  page.single("registers_total", "counter", "REGISTER requests that were served.",
              counters.registers_received);
  page.single("registers_refused_total", "counter",
              "REGISTER requests that got 503 because all together were too many.",
              counters.registers_refused);
  page.single("registers_dropped_total", "counter",
              "REGISTER requests of sources that sent too many.", counters.registers_dropped);
  page.single("dns_questions_total", "counter", "Questions sent to name servers for gateways.",
              counters.dns.questions);
  page.single("dns_answers_total", "counter", "Answers of name servers.", counters.dns.answers);
  page.single("dns_timeouts_total", "counter", "Questions that a name server did not answer.",
              counters.dns.timeouts);
  page.single("dns_failures_total", "counter", "Look-ups that no name server answered.",
              counters.dns.failures);
  page.single("dns_strays_total", "counter",
              "Datagrams that answered nothing that was asked: forgeries.", counters.dns.strays);
  page.single("dns_truncated_total", "counter", "Answers that were fetched over TCP.",
              counters.dns.truncated);
  page.single("dns_names", "gauge", "Names of gateways that are kept.", counters.dns.names);
  page.single("dns_names_failing", "gauge",
              "Names that stand for nothing, or only for something old.",
              counters.dns.names_failing);
  page.single("sip_datagrams_received_total", "counter", "SIP datagrams received.",
              counters.datagrams_received);
  page.single("sip_malformed_total", "counter", "SIP messages that were malformed.",
              counters.malformed);
  page.single("sip_retransmissions_total", "counter", "SIP messages sent again by timers.",
              counters.retransmissions);
  page.single("sip_connections_live", "gauge", "Connections of SIP over TCP, TLS and WebSocket.",
              counters.connections_live);
  page.single("sip_connections_refused_total", "counter",
              "Connections beyond what all, or one peer, may have.", counters.connections_refused);
  page.single("sip_connections_unused_total", "counter",
              "Connections that were closed since no message came.", counters.connections_unused);
  page.single("sip_connections_deaf_total", "counter",
              "Connections that were closed since their peers did not read.",
              counters.connections_deaf);
  page.single("sip_tls_handshakes_total", "counter",
              "TLS connections that came about, made by the switch or by peers.",
              counters.tls_handshakes);
  page.single("sip_tls_failures_total", "counter",
              "TLS connections that did not: certificates, protocol, no TLS, too slow.",
              counters.tls_failures);
  page.single("sip_tls_refused_total", "counter",
              "TLS connections of peers that were closed beyond the rate of handshakes.",
              counters.tls_refused);
  page.single("sip_websockets_opened_total", "counter", "WebSocket connections that came about.",
              counters.websockets_opened);
  page.single("sip_websocket_failures_total", "counter",
              "WebSocket connections that did not: TLS, HTTP, Origin, protocol, too slow.",
              counters.websocket_failures);
  page.single("sip_overload_refused_total", "counter",
              "New calls that got 503 since there was more to do than could be done.",
              counters.overload_refused);
  page.single("sip_overload_dropped_total", "counter",
              "New calls that there was not even time to refuse.", counters.overload_dropped);
  page.single("sip_overload_waited_total", "counter", "New calls that waited for their turn.",
              counters.overload_waited);
  page.single("sip_overload_loss_percent", "gauge",
              "What peers are asked to keep back of new calls (RFC 7339).",
              counters.overload_loss_percent);
  page.single("traces_running", "gauge", "Call traces that have not ended.",
              counters.traces_running);
  page.single("trace_hep_sent_total", "counter", "Copies of messages for the HEP server.",
              counters.hep_sent);
  page.single("trace_hep_dropped_total", "counter",
              "Copies that found no room in a turn of a worker.", counters.hep_dropped);
  const MediaRelayStats& media = counters.media;
  page.each(
      "media_backend", "gauge",
      "1 for the backend that carries media; the others say why they do not.",
      counters.media_backends,
      [](const MediaBackendState& state) { return state.is_running ? 1 : 0; },
      [](const MediaBackendState& state) {
        return std::string("backend=\"") + media_backend_name(state.backend) + "\",usable=\"" +
               (state.is_usable ? "yes" : "no") + "\",detail=\"" + escaped(state.detail) + '"';
      });
  page.single("media_sessions", "gauge", "Calls whose media is relayed now.", media.sessions);
  page.single("media_sessions_refused_total", "counter",
              "Calls for which no media port or no open file was left.", media.sessions_refused);
  page.single("media_port_pairs", "gauge", "RTP/RTCP port pairs in use, resting or ready.",
              media.port_pairs_bound);
  page.single("media_ports_connected", "gauge",
              "RTP ports with a second socket, for a stream that lasts.", media.ports_connected);
  page.single("media_packets_forwarded_total", "counter", "RTP and RTCP packets relayed.",
              media.packets_forwarded);
  page.single("media_streams_in_kernel", "gauge",
              "Directions of calls that the kernel passes on itself.", media.streams_in_kernel);
  page.single("media_packets_in_kernel_total", "counter",
              "Packets relayed by the kernel alone, of those that were forwarded.",
              media.packets_in_kernel);
  page.single("media_sessions_adopted_total", "counter",
              "Calls of a former process whose media was found running at the start.",
              media.sessions_adopted);
  page.single("media_sessions_unclaimed", "gauge",
              "Such calls that are still relayed and that nobody took back over.",
              media.sessions_unclaimed);
  page.by("media_packets_dropped_total", "counter", "Packets not relayed, by cause.", "cause",
          {{"source", media.packets_refused},
           {"malformed", media.packets_malformed},
           {"no_session", media.packets_stray},
           {"no_destination", media.packets_undeliverable},
           {"discard", media.packets_discarded},
           {"send", media.send_failures},
           {"overflow", media.packets_overflowed},
           {"not_sealed", media.packets_not_sealed},
           {"rate", media.packets_policed}});
  page.single("media_events_lost_total", "counter",
              "Keys, losses and other news of the relay that found its queue full.",
              media.events_lost);
  page.single("media_packets_not_authentic_total", "counter",
              "SRTP and SRTCP packets that the key of their side did not fit; refused.",
              media.packets_not_authentic);
  page.by("media_handshakes_total", "counter", "Handshakes of DTLS-SRTP, by how they ended.",
          "outcome", {{"agreed", media.handshakes_agreed}, {"failed", media.handshakes_failed}});
  page.single("media_digits_total", "counter", "Keys pressed in RTP (RFC 4733).", media.digits);
  const RecorderStats& recorder = counters.recorder;
  page.single("recordings", "gauge", "Calls that are recorded now.", recorder.recordings);
  page.by("recordings_total", "counter", "Recordings, by what became of them.", "outcome",
          {{"written", recorder.files_written},
           {"without_audio", recorder.without_audio},
           {"cut_short", recorder.cut_short},
           {"failed", recorder.failed},
           {"refused", recorder.refused}});
  page.single("recording_bytes_total", "counter", "Written into recordings.",
              recorder.bytes_written);
  page.by("recording_packets_lost_total", "counter", "Packets that are in no recording.", "cause",
          {{"buffer", recorder.packets_dropped},
           {"late", recorder.packets_late},
           {"codec", recorder.packets_skipped}});
  page.single("journal_records_total", "counter", "Records given to the journal.",
              counters.journal_records);
  page.single("journal_waiting", "gauge", "Records that are not on disk yet.",
              counters.journal_lag);
  page.single("journal_writable", "gauge",
              "0 while the journal cannot be written and new calls are refused.",
              counters.journal_writable ? 1 : 0);
  const auto each_sink = [&](const char* name, const char* type, const char* help, auto figure) {
    page.each(name, type, help, counters.sinks, figure,
              [](const CdrSinkState& sink) { return "sink=\"" + escaped(sink.name) + '"'; });
  };
  each_sink("sink_records_waiting", "gauge", "Records on disk that a sink does not hold yet.",
            [](const CdrSinkState& sink) { return sink.lag_records; });
  each_sink("sink_oldest_waiting_milliseconds", "gauge",
            "How long the oldest of them has waited, as far as known.",
            [](const CdrSinkState& sink) { return sink.lag_us / 1'000; });
  each_sink("sink_position", "counter", "Last record of the journal that a sink holds.",
            [](const CdrSinkState& sink) { return sink.position; });
  each_sink("sink_retries_total", "counter", "Batches that a sink refused, which came again.",
            [](const CdrSinkState& sink) { return sink.failures; });
  each_sink("sink_failing", "gauge", "1 while a sink takes nothing.",
            [](const CdrSinkState& sink) { return sink.is_failing ? 1 : 0; });
  each_sink("sink_records_set_aside", "gauge",
            "Records that a sink refused for good, in its set-aside file.",
            [](const CdrSinkState& sink) { return sink.set_aside; });
  page.single("maintenance_running", "gauge", "1 while the day files are being kept.",
              maintenance.is_running ? 1 : 0);
  page.single("maintenance_runs_total", "counter",
              "Runs and single acts of maintenance that ended.", maintenance.runs);
  page.single("maintenance_failures_total", "counter", "Acts of maintenance that failed.",
              maintenance.failures);
  page.single("maintenance_last_end_seconds", "gauge",
              "When maintenance ended last, in seconds since 1970 UTC; 0: not since the start.",
              maintenance.last ? maintenance.last->ended_at_us / 1'000'000 : 0);
  const auto each_resolver = [&](const char* name, const char* type, const char* help,
                                 std::uint64_t LrnCounters::*figure) {
    page.each(name, type, help, counters.lrn, figure, [](const LrnCounters& resolver) {
      return "resolver=\"" + escaped(resolver.resolver) + '"';
    });
  };
  each_resolver("lrn_cache_hits_total", "counter", "Numbers whose LRN was known.",
                &LrnCounters::cache_hits);
  each_resolver("lrn_coalesced_total", "counter", "Numbers that were being asked for already.",
                &LrnCounters::coalesced);
  each_resolver("lrn_questions_total", "counter", "Attempts to look a number up.",
                &LrnCounters::questions);
  each_resolver("lrn_answers_total", "counter", "Numbers that were looked up.",
                &LrnCounters::answers);
  each_resolver("lrn_timeouts_total", "counter", "Attempts without an answer in time.",
                &LrnCounters::timeouts);
  each_resolver("lrn_failures_total", "counter", "Numbers that could not be looked up.",
                &LrnCounters::failures);
  each_resolver("lrn_overflows_total", "counter", "Numbers beyond what may be asked for at once.",
                &LrnCounters::overflows);
  each_resolver("lrn_under_way", "gauge", "Numbers that are being looked up now.",
                &LrnCounters::under_way);
  each_resolver("lrn_cache_entries", "gauge", "Answers that are kept.",
                &LrnCounters::cache_entries);
  page.single("events_dropped_total", "counter", "Events that the host was too slow for.",
              counters.events_dropped);
  page.single("event_feeds", "gauge", "Watchers of events.", counters.event_feeds);
  page.single("feed_events_lost_total", "counter", "Events that watchers were too slow for.",
              counters.feed_events_lost);
  page.single("http_requests_total", "counter", "Requests of the admin API.", server.requests);
  page.single("http_requests_refused_total", "counter", "Malformed or too large requests.",
              server.requests_refused);
  page.single("http_connections_refused_total", "counter", "Connections beyond the limit.",
              server.connections_refused);
  page.single("http_connections_dropped_total", "counter",
              "Connections of strangers that made room for others.", server.connections_dropped);
  page.single("http_timeouts_total", "counter", "Connections closed for being idle or slow.",
              server.timeouts);
  page.single("http_streams", "gauge", "Streams of events that are open.", server.streams);
  return page.take();
}

}  // namespace tandem::admin
