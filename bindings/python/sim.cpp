// Whole switches and their endpoints in virtual time.
#include "tandem/sim.hpp"
#include "switch_object.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace pybind11::literals;

namespace binding {
namespace {

/// What a DatagramView shows, kept.
struct SeenDatagram {
  std::int64_t at_us;
  std::string source, target, bytes;
  const char* fate;
};

/// A plan from keywords: each sets the member of its name, an unknown one raises.
template <class Plan>
std::unique_ptr<Plan> from_keywords(const py::kwargs& values) {
  auto plan = std::make_unique<Plan>();
  const py::object object = py::cast(plan.get(), py::return_value_policy::reference);
  for (const auto& [name, value] : values)
    object.attr(name) = value;
  return plan;
}

SipTransport transport_of(const std::string& name) {
  for (const SipTransport transport : {SipTransport::udp, SipTransport::tcp, SipTransport::tls,
                                       SipTransport::ws, SipTransport::wss}) {
    if (name == transport_name(transport)) return transport;
  }
  throw Failure{{ErrorCode::invalid_argument, "transport \"" + name + "\" is none"}};
}

/// A member that is encryption, by the names of the configuration.
template <class Plan>
void def_srtp(py::class_<Plan>& plans) {
  plans.def_readwrite("dtls", &Plan::dtls);
  plans.def_property(
      "srtp", [](const Plan& plan) { return std::string(srtp_mode_name(plan.srtp)); },
      [](Plan& plan, const std::string& name) {
        for (const SrtpMode mode : {SrtpMode::off, SrtpMode::optional, SrtpMode::required}) {
          if (name != srtp_mode_name(mode)) continue;
          plan.srtp = mode;
          return;
        }
        throw Failure{{ErrorCode::invalid_argument,
                       "srtp \"" + name + "\" is not off, optional or required"}};
      });
}

ClientCertificate certificate_of(const std::string& name) {
  if (name == "none") return ClientCertificate::none;
  if (name == "ask") return ClientCertificate::ask;
  if (name == "require") return ClientCertificate::require;
  throw Failure{{ErrorCode::invalid_argument,
                 "client_certificate \"" + name + "\" is not none, ask or require"}};
}

/// A datagram for a callback, which keeps it as long as it likes.
py::object shown(const DatagramView& seen) {
  static constexpr const char* fates[] = {"sent", "lost", "filtered", "partitioned", "too_long"};
  return py::cast(SeenDatagram{seen.at_us, seen.from.to_string(), seen.to.to_string(),
                               std::string(seen.bytes), fates[static_cast<int>(seen.fate)]});
}

/// "IP", "IP:PORT", or "" for every address.
SocketAddress link_end(const std::string& text) {
  if (text.empty()) return {};
  if (auto ip = IpAddress::parse(text)) return {*ip, 0};
  return take(SocketAddress::parse(text));
}

}  // namespace

// The interpreter lock is kept while a world runs: everything in it happens on this thread, its
// callbacks into Python too.
void bind_sim(py::module_& m) {
  py::class_<DtlsPlan>(m, "DtlsPlan")
      .def(py::init(&from_keywords<DtlsPlan>))
      .def_readwrite("is_on", &DtlsPlan::is_on)
      .def_readwrite("has_ice", &DtlsPlan::has_ice)
      .def_readwrite("role", &DtlsPlan::role)
      .def_readwrite("shows_other_certificate", &DtlsPlan::shows_other_certificate)
      .def_readwrite("has_wrong_password", &DtlsPlan::has_wrong_password);

  py::class_<DialPlan> dial_plan(m, "DialPlan");
  dial_plan.def(py::init(&from_keywords<DialPlan>))
      .def_readwrite("destination", &DialPlan::destination)
      .def_readwrite("display", &DialPlan::display)
      .def_readwrite("username", &DialPlan::username)
      .def_readwrite("password", &DialPlan::password)
      .def_readwrite("sdp", &DialPlan::sdp)
      .def_readwrite("content_type", &DialPlan::content_type)
      .def_readwrite("delayed_offer", &DialPlan::delayed_offer)
      .def_readwrite("send_rtp", &DialPlan::send_rtp)
      .def_readwrite("ptime_ms", &DialPlan::ptime_ms)
      .def_readwrite("cancel_after_us", &DialPlan::cancel_after_us)
      .def_readwrite("hang_up_after_us", &DialPlan::hang_up_after_us)
      .def_readwrite("max_forwards", &DialPlan::max_forwards)
      .def_readwrite("npdi", &DialPlan::npdi)
      .def_readwrite("rn", &DialPlan::rn)
      .def_readwrite("headers", &DialPlan::headers)
      .def_readwrite("session_timer_s", &DialPlan::session_timer_s)
      .def_readwrite("rel100", &DialPlan::rel100)
      .def_readwrite("requires_rel100", &DialPlan::requires_rel100)
      .def_readwrite("replaces", &DialPlan::replaces)
      .def_readwrite("requires_replaces", &DialPlan::requires_replaces)
      .def_readwrite("rtp_pattern", &DialPlan::rtp_pattern)
      .def_readwrite("rtp_type", &DialPlan::rtp_type)
      .def_readwrite("formats", &DialPlan::formats)
      .def_property(
          "transport",
          [](const DialPlan& plan) { return std::string(transport_name(plan.transport)); },
          [](DialPlan& plan, const std::string& name) { plan.transport = transport_of(name); });
  def_srtp(dial_plan);

  py::class_<AnswerPlan> answer_plan(m, "AnswerPlan");
  answer_plan.def(py::init(&from_keywords<AnswerPlan>))
      .def_readwrite("responds", &AnswerPlan::responds)
      .def_readwrite("ring_after_us", &AnswerPlan::ring_after_us)
      .def_readwrite("ring_with_sdp", &AnswerPlan::ring_with_sdp)
      .def_readwrite("progress_after_us", &AnswerPlan::progress_after_us)
      .def_readwrite("progress_status", &AnswerPlan::progress_status)
      .def_readwrite("progress_with_sdp", &AnswerPlan::progress_with_sdp)
      .def_readwrite("answer_after_us", &AnswerPlan::answer_after_us)
      .def_readwrite("status", &AnswerPlan::status)
      .def_readwrite("q850_cause", &AnswerPlan::q850_cause)
      .def_readwrite("retry_after_s", &AnswerPlan::retry_after_s)
      .def_readwrite("sdp", &AnswerPlan::sdp)
      .def_readwrite("answer_without_sdp", &AnswerPlan::answer_without_sdp)
      .def_readwrite("hang_up_after_us", &AnswerPlan::hang_up_after_us)
      .def_readwrite("send_rtp", &AnswerPlan::send_rtp)
      .def_readwrite("ptime_ms", &AnswerPlan::ptime_ms)
      .def_readwrite("username", &AnswerPlan::username)
      .def_readwrite("password", &AnswerPlan::password)
      .def_readwrite("realm", &AnswerPlan::realm)
      .def_readwrite("headers", &AnswerPlan::headers)
      .def_readwrite("session_timer_s", &AnswerPlan::session_timer_s)
      .def_readwrite("rel100", &AnswerPlan::rel100)
      .def_readwrite("requires_rel100", &AnswerPlan::requires_rel100)
      .def_readwrite("rtp_pattern", &AnswerPlan::rtp_pattern)
      .def_readwrite("rtp_type", &AnswerPlan::rtp_type)
      .def_readwrite("formats", &AnswerPlan::formats);
  def_srtp(answer_plan);

  py::class_<RegistrarPlan>(m, "RegistrarPlan")
      .def(py::init(&from_keywords<RegistrarPlan>))
      .def_readwrite("username", &RegistrarPlan::username)
      .def_readwrite("password", &RegistrarPlan::password)
      .def_readwrite("realm", &RegistrarPlan::realm)
      .def_readwrite("status", &RegistrarPlan::status)
      .def_readwrite("expires_s", &RegistrarPlan::expires_s)
      .def_readwrite("min_expires_s", &RegistrarPlan::min_expires_s)
      .def_readwrite("retry_after_s", &RegistrarPlan::retry_after_s);

  py::class_<RawDatagram>(m, "RawDatagram")
      .def_readonly("at_us", &RawDatagram::at_us)
      .def_property_readonly("source", [](const RawDatagram& one) { return one.from.to_string(); })
      .def_property_readonly("bytes", [](const RawDatagram& one) { return py::bytes(one.bytes); });

  py::class_<SeenDatagram>(m, "SeenDatagram")
      .def_readonly("at_us", &SeenDatagram::at_us)
      .def_readonly("source", &SeenDatagram::source)
      .def_readonly("target", &SeenDatagram::target)
      .def_property_readonly("bytes", [](const SeenDatagram& one) { return py::bytes(one.bytes); })
      .def_readonly("fate", &SeenDatagram::fate);

  py::class_<NetworkCounters>(m, "NetworkCounters")
      .def_readonly("sent", &NetworkCounters::sent)
      .def_readonly("delivered", &NetworkCounters::delivered)
      .def_readonly("lost", &NetworkCounters::lost)
      .def_readonly("filtered", &NetworkCounters::filtered)
      .def_readonly("partitioned", &NetworkCounters::partitioned)
      .def_readonly("too_long", &NetworkCounters::too_long)
      .def_readonly("cut", &NetworkCounters::cut)
      .def_readonly("duplicated", &NetworkCounters::duplicated)
      .def_readonly("reordered", &NetworkCounters::reordered)
      .def_readonly("unreachable", &NetworkCounters::unreachable)
      .def_readonly("undeliverable", &NetworkCounters::undeliverable)
      .def_readonly("streams_opened", &NetworkCounters::streams_opened)
      .def_readonly("streams_refused", &NetworkCounters::streams_refused)
      .def_readonly("stream_bytes", &NetworkCounters::stream_bytes);

  py::class_<RawEndpoint, std::unique_ptr<RawEndpoint, py::nodelete>>(m, "RawEndpoint")
      .def(
          "send",
          [](RawEndpoint& e, const std::string& to, const py::bytes& bytes) {
            e.send(take(SocketAddress::parse(to)), std::string(bytes));
          },
          "to"_a, "bytes"_a)
      .def("received", [](const RawEndpoint& e) { return e.received(); })
      .def("clear", &RawEndpoint::clear)
      .def_property_readonly("address",
                             [](const RawEndpoint& e) { return e.address().to_string(); });

  py::class_<LadderEntry>(m, "LadderEntry")
      .def_readonly("at_us", &LadderEntry::at_us)
      .def_readonly("is_sent", &LadderEntry::is_sent)
      .def_readonly("what", &LadderEntry::what)
      .def_readonly("call_id", &LadderEntry::call_id);

  py::class_<EndpointCounters>(m, "EndpointCounters")
      .def_readonly("calls_out", &EndpointCounters::calls_out)
      .def_readonly("calls_in", &EndpointCounters::calls_in)
      .def_readonly("answered", &EndpointCounters::answered)
      .def_readonly("refused", &EndpointCounters::refused)
      .def_readonly("released", &EndpointCounters::released)
      .def_readonly("calls_live", &EndpointCounters::calls_live)
      .def_readonly("packets_sent", &EndpointCounters::packets_sent)
      .def_readonly("packets_received", &EndpointCounters::packets_received)
      .def_readonly("dialogs_live", &EndpointCounters::dialogs_live)
      .def_readonly("transactions_live", &EndpointCounters::transactions_live);

  py::class_<LinkSettings>(m, "LinkSettings")
      .def(py::init(&from_keywords<LinkSettings>))
      .def_readwrite("delay_us", &LinkSettings::delay_us)
      .def_readwrite("jitter_us", &LinkSettings::jitter_us)
      .def_readwrite("loss_per_mille", &LinkSettings::loss_per_mille)
      .def_readwrite("duplicate_per_mille", &LinkSettings::duplicate_per_mille)
      .def_readwrite("reorder_per_mille", &LinkSettings::reorder_per_mille)
      .def_readwrite("reorder_us", &LinkSettings::reorder_us)
      .def_readwrite("mtu_bytes", &LinkSettings::mtu_bytes)
      .def_readwrite("cut_bytes", &LinkSettings::cut_bytes)
      .def_readwrite("retransmit_us", &LinkSettings::retransmit_us)
      .def_readwrite("partitioned", &LinkSettings::partitioned);

  py::class_<EndpointCall, std::shared_ptr<EndpointCall>>(m, "EndpointCall")
      .def_property_readonly(
          "state",
          [](const EndpointCall& c) {
            static constexpr const char* names[] = {"begun", "ringing", "answered", "over"};
            return names[static_cast<int>(c.state())];
          })
      .def_property_readonly("is_over", &EndpointCall::is_over)
      .def_property_readonly("was_answered", &EndpointCall::was_answered)
      .def_property_readonly("status", &EndpointCall::status)
      .def_property_readonly("q850_cause", &EndpointCall::q850_cause)
      .def_property_readonly("call_id", &EndpointCall::call_id)
      .def_property_readonly("caller", &EndpointCall::caller)
      .def_property_readonly("display", &EndpointCall::display)
      .def_property_readonly("callee", &EndpointCall::callee)
      .def_property_readonly("npdi", &EndpointCall::npdi)
      .def_property_readonly("rn", &EndpointCall::rn)
      .def_property_readonly("headers", &EndpointCall::headers)
      .def_property_readonly("local_sdp", &EndpointCall::local_sdp)
      .def_property_readonly("remote_sdp", &EndpointCall::remote_sdp)
      .def_property_readonly("events", &EndpointCall::events)
      .def_property_readonly("packets_sent", &EndpointCall::packets_sent)
      .def_property_readonly("packets_received", &EndpointCall::packets_received)
      .def("ring", &EndpointCall::ring, "status"_a = 180, "with_sdp"_a = false)
      .def("answer", &EndpointCall::answer)
      .def("reject", &EndpointCall::reject, "status"_a, "q850_cause"_a = 0, "retry_after_s"_a = 0)
      .def("cancel", &EndpointCall::cancel)
      .def("hang_up", &EndpointCall::hang_up, "q850_cause"_a = 0)
      .def("hold", &EndpointCall::hold)
      .def("resume", &EndpointCall::resume)
      .def("reinvite", &EndpointCall::reinvite, "sdp"_a = "")
      .def("reinvite_without_offer", &EndpointCall::reinvite_without_offer)
      .def("update", &EndpointCall::update, "sdp"_a = "")
      .def("request", &EndpointCall::request, "method"_a, "content_type"_a = "", "body"_a = "",
           "headers"_a = std::vector<std::pair<std::string, std::string>>{})
      .def("refer", &EndpointCall::refer, "target"_a)
      .def("refer_to", &EndpointCall::refer_to, "call"_a)
      .def("replaces", &EndpointCall::replaces)
      .def("set_reoffer_status", &EndpointCall::set_reoffer_status, "status"_a)
      .def("set_request_status", &EndpointCall::set_request_status, "status"_a)
      .def("set_reoffer_sdp", &EndpointCall::set_reoffer_sdp, "sdp"_a)
      .def("rekey", &EndpointCall::rekey)
      .def("count", [](const EndpointCall& c, const std::string& event) { return c.count(event); })
      .def_property_readonly("retry_after_s", &EndpointCall::retry_after_s)
      .def_property_readonly("product", &EndpointCall::product)
      .def_property_readonly("received_type", &EndpointCall::received_type)
      .def_property_readonly("received_pattern", &EndpointCall::received_pattern)
      .def_property_readonly("received_keys", &EndpointCall::received_keys)
      .def_property_readonly("is_encrypted", &EndpointCall::is_encrypted)
      .def_property_readonly("srtp_failures", &EndpointCall::srtp_failures)
      .def_property_readonly("last_body", &EndpointCall::last_body)
      .def("press_key", &EndpointCall::press_key, "key"_a, "duration_ms"_a = 100)
      .def("start_rtp", &EndpointCall::start_rtp)
      .def("stop_rtp", &EndpointCall::stop_rtp);

  py::class_<LrnServer, std::unique_ptr<LrnServer, py::nodelete>>(m, "LrnServer")
      .def(
          "set",
          [](LrnServer& server, const std::string& number, const std::string& lrn,
             const std::string& region) {
            server.set(number, {lrn, region});
          },
          "number"_a, "lrn"_a = "", "region"_a = "")
      .def("set_delay_us", &LrnServer::set_delay_us, "delay_us"_a)
      .def("set_status", &LrnServer::set_status, "status"_a)
      .def("set_silent", &LrnServer::set_silent, "silent"_a)
      .def_property_readonly("asked", &LrnServer::asked);

  py::class_<DnsServer, std::unique_ptr<DnsServer, py::nodelete>>(m, "DnsServer")
      .def(
          "set",
          [](DnsServer& server, const std::string& name, const std::string& type,
             const std::vector<std::string>& data,
             std::uint32_t ttl_s) { take(server.set(name, type, data, ttl_s)); },
          "name"_a, "type"_a, "data"_a, "ttl_s"_a = 60)
      .def("forget", &DnsServer::forget, "name"_a)
      .def("set_negative_ttl_s", &DnsServer::set_negative_ttl_s, "ttl_s"_a)
      .def("set_code", &DnsServer::set_code, "code"_a)
      .def("set_silent", &DnsServer::set_silent, "silent"_a)
      .def("set_truncating", &DnsServer::set_truncating, "truncating"_a)
      .def("set_follows_aliases", &DnsServer::set_follows_aliases, "follows"_a)
      .def(
          "set_forged",
          [](DnsServer& server, const std::optional<std::string>& address) {
            server.set_forged(address ? take(IpAddress::parse(*address)) : IpAddress());
          },
          "address"_a)
      .def_property_readonly("asked", &DnsServer::asked);

  py::class_<Endpoint, std::unique_ptr<Endpoint, py::nodelete>>(m, "Endpoint")
      .def(
          "dial",
          [](Endpoint& e, const std::string& callee, const std::string& caller,
             const std::optional<DialPlan>& plan) {
            return e.dial(callee, caller, plan.value_or(DialPlan()));
          },
          "callee"_a, "caller"_a = "1000", "plan"_a = py::none())
      .def(
          "set_plan",
          [](Endpoint& e, const AnswerPlan& plan, const std::optional<std::string>& callee) {
            if (callee) return e.set_plan(*callee, plan);
            e.set_plan(plan);
          },
          "plan"_a, "callee"_a = py::none())
      .def(
          "register_user",
          [](Endpoint& e, const std::string& user, const std::string& password, int expires_s,
             const std::string& transport) {
            e.register_user(user, password, expires_s, transport_of(transport));
          },
          "user"_a, "password"_a, "expires_s"_a = 3600, "transport"_a = "udp")
      .def("registration_expires_s", &Endpoint::registration_expires_s, "user"_a)
      .def("accept_registrations", &Endpoint::accept_registrations, "plan"_a)
      .def_property_readonly("registered_contact", &Endpoint::registered_contact)
      .def("ladder", [](const Endpoint& e) { return e.ladder(); })
      .def_property_readonly("counters", &Endpoint::counters)
      .def("registration_status", &Endpoint::registration_status, "user"_a)
      .def("calls", &Endpoint::calls)
      .def("last_call", &Endpoint::last_call)
      .def("sent", [](const Endpoint& e, const std::string& what) { return e.sent(what); })
      .def("received", [](const Endpoint& e, const std::string& what) { return e.received(what); })
      .def("ladder_text", &Endpoint::ladder_text)
      .def("clear_ladder", &Endpoint::clear_ladder)
      .def("set_silent", &Endpoint::set_silent, "silent"_a)
      .def_property_readonly("address", &Endpoint::address);

  py::class_<World, std::shared_ptr<World>>(m, "World")
      .def(py::init([](std::uint64_t seed, std::int64_t wall_us,
                       const std::optional<LinkSettings>& link) {
             return std::make_shared<World>(
                 WorldOptions{seed, wall_us, link.value_or(LinkSettings())});
           }),
           "seed"_a = 1, py::kw_only(), "wall_us"_a = 1767225600000000, "link"_a = py::none())
      .def(
          "create_switch",
          [](World& world, const ConfigReading& reading, const SwitchOptions& options,
             py::object on_policy, py::object on_lrn) {
            if (!reading.errors.empty())
              throw Failure{{ErrorCode::invalid_argument, reading.errors.front().pointer + ": " +
                                                              reading.errors.front().message}};
            auto object = std::make_shared<SwitchObject>(options);
            // Freed with the hooks, where nobody holds the interpreter lock.
            const auto keep = [](py::object callback) {
              return std::shared_ptr<py::object>(new py::object(std::move(callback)),
                                                 [](py::object* owned) {
                                                   const py::gil_scoped_acquire lock;
                                                   delete owned;
                                                 });
            };
            std::function<void(const PolicyQuestion&)> ask;
            if (options.has_policy)
              ask = [weak = std::weak_ptr(object),
                     callback = keep(std::move(on_policy))](const PolicyQuestion& question) {
                const auto asked = weak.lock();
                if (!asked) return;
                const py::gil_scoped_acquire lock;
                try {
                  const py::object answer = (*callback)(question);
                  if (!answer.is_none())
                    asked->open()->answer(question.token, answer.cast<PolicyAnswer>());
                } catch (py::error_already_set& raised) {
                  raised.discard_as_unraisable("a policy callback");
                }
              };
            std::function<void(const LrnQuestion&)> look_up;
            if (options.has_lrn)
              look_up = [weak = std::weak_ptr(object),
                         callback = keep(std::move(on_lrn))](const LrnQuestion& question) {
                const auto asked = weak.lock();
                if (!asked) return;
                const py::gil_scoped_acquire lock;
                try {
                  const py::object answer = (*callback)(question);
                  if (!answer.is_none())
                    asked->open()->answer_lrn(question.token, answer.cast<LrnAnswer>());
                } catch (py::error_already_set& raised) {
                  raised.discard_as_unraisable("an LRN callback");
                }
              };
            object->adopt(take(world.create_switch(
                reading.config, object->hooks(std::move(ask), std::move(look_up)))));
            return object;
          },
          "config"_a, "options"_a, "on_policy"_a, "on_lrn"_a, py::keep_alive<0, 1>())
      .def(
          "crash", [](World& world, SwitchObject& victim) { world.crash(victim.release()); },
          "victim"_a)
      .def(
          "add_endpoint",
          [](World& world, std::string address, std::string peer, std::string product,
             bool is_browser, std::string tls_certificate, std::string tls_key, std::string tls_ca,
             std::string tls_name, bool tls_verify, const std::string& client_certificate) {
            EndpointConfig config;
            config.address = std::move(address);
            config.peer = std::move(peer);
            config.product = std::move(product);
            config.is_browser = is_browser;
            if (!tls_certificate.empty()) {
              TlsConfig& files = config.tls.emplace();
              files.certificate = std::move(tls_certificate);
              files.key = std::move(tls_key);
              files.ca = std::move(tls_ca);
            }
            config.tls_name = std::move(tls_name);
            config.tls_verify = tls_verify;
            config.client_certificate = certificate_of(client_certificate);
            return take(world.add_endpoint(config));
          },
          "address"_a, "peer"_a = "", "product"_a = "endpoint", py::kw_only(),
          "is_browser"_a = false, "tls_certificate"_a = "", "tls_key"_a = "", "tls_ca"_a = "",
          "tls_name"_a = "", "tls_verify"_a = true, "client_certificate"_a = "none",
          py::return_value_policy::reference_internal)
      .def(
          "add_raw_endpoint",
          [](World& world, const std::string& address) {
            return take(world.add_raw_endpoint(address));
          },
          "address"_a, py::return_value_policy::reference_internal)
      .def(
          "add_lrn_server",
          [](World& world, const std::string& address, const std::string& kind) {
            for (const LrnResolverKind known :
                 {LrnResolverKind::sip302, LrnResolverKind::http, LrnResolverKind::naptr}) {
              if (kind == lrn_resolver_kind_name(known))
                return take(world.add_lrn_server(address, known));
            }
            throw Failure{{ErrorCode::invalid_argument, "no server of kind \"" + kind + '"'}};
          },
          "address"_a, "kind"_a, py::return_value_policy::reference_internal)
      .def(
          "add_dns_server",
          [](World& world, const std::string& address) {
            return take(world.add_dns_server(address));
          },
          "address"_a, py::return_value_policy::reference_internal)
      .def("run_for_us", &World::run_for_us, "us"_a)
      .def(
          "run_until",
          [](World& world, const py::function& done, std::int64_t limit_us) {
            std::optional<py::error_already_set> raised;  // the loops below are not for exceptions
            const bool result = world.run_until(
                [&] {
                  try {
                    return raised.has_value() || py::bool_(done()).cast<bool>();
                  } catch (py::error_already_set& e) {
                    raised.emplace(std::move(e));
                    return true;
                  }
                },
                limit_us);
            if (raised) throw std::move(*raised);
            return result;
          },
          "done"_a, "limit_us"_a)
      .def("run_until_idle", &World::run_until_idle, "limit_us"_a = 600'000'000)
      .def_property_readonly("monotonic_us", &World::monotonic_us)
      .def_property_readonly("wall_us", &World::wall_us)
      .def("step_wall_us", &World::step_wall_us, "step_us"_a)
      .def("set_default_link", &World::set_default_link, "link"_a)
      .def(
          "set_link",
          [](World& w, const std::string& from, const std::string& to, const LinkSettings& link) {
            take(w.set_link(link_end(from), link_end(to), link));
          },
          "from_"_a, "to"_a, "link"_a)
      .def("clear_links", &World::clear_links)
      .def(
          "partition",
          [](World& w, const std::string& a, const std::string& b) {
            take(w.partition(take(IpAddress::parse(a)), take(IpAddress::parse(b))));
          },
          "a"_a, "b"_a)
      .def(
          "heal",
          [](World& w, const std::string& a, const std::string& b) {
            take(w.heal(take(IpAddress::parse(a)), take(IpAddress::parse(b))));
          },
          "a"_a, "b"_a)
      .def(
          "drop_if",
          [](World& w, const std::optional<py::function>& drops) {
            if (!drops) return w.drop_if({});
            w.drop_if([drops = *drops](const DatagramView& seen) {
              try {
                return py::bool_(drops(shown(seen))).cast<bool>();
              } catch (py::error_already_set& raised) {
                raised.discard_as_unraisable("a drop_if callback");
                return false;
              }
            });
          },
          "drops"_a)
      .def(
          "set_tap",
          [](World& w, const std::optional<py::function>& tap) {
            if (!tap) return w.set_tap({});
            w.set_tap([tap = *tap](const DatagramView& seen) {
              try {
                tap(shown(seen));
              } catch (py::error_already_set& raised) {
                raised.discard_as_unraisable("a tap callback");
              }
            });
          },
          "tap"_a)
      .def_property_readonly("network_counters",
                             [](const World& w) { return w.network_counters(); })
      .def("trace_hash", &World::trace_hash)
      .def("capture", &World::capture, "bytes_max"_a = 64 << 20)
      .def(
          "write_pcap", [](const World& w, const std::string& path) { take(w.write_pcap(path)); },
          "path"_a)
      .def("set_disk_full", &World::set_disk_full, "full"_a)
      .def(
          "read_file",
          [](const World& w, const std::string& path) {
            return py::bytes(take(w.read_file(path)));
          },
          "path"_a)
      .def("cdrs", [](const World& w) { return w.cdrs(); })
      .def("clear_cdrs", &World::clear_cdrs);
}

}  // namespace binding
