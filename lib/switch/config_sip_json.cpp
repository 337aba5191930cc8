// Keys of the `sip` object of a gateway.
#include <algorithm>
#include <string>
#include <utility>

#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"

namespace tandem::config {

namespace {

constexpr std::size_t invite_headers_max = 32;
constexpr std::size_t redirect_networks_max = 64;

void read_privacy(Reader& r, const Json& v, PrivacyMode& mode) {
  r.choice<PrivacyMode>(
      v, {{"none", PrivacyMode::none}, {"pass", PrivacyMode::pass}, {"id", PrivacyMode::id}}, mode);
}

void read_identity(Reader& r, const Json& v, IdentityMode& mode) {
  r.choice<IdentityMode>(v,
                         {{"none", IdentityMode::none},
                          {"pass", IdentityMode::pass},
                          {"caller", IdentityMode::caller}},
                         mode);
}

/// true, false or a list of names.
void read_header_pass(Reader& r, const Json& v, HeaderPass& pass) {
  if (!v.is_array()) {
    r.boolean(v, pass.all);
    return;
  }
  r.strings(v, pass.names);
  for (std::size_t i = 0; i < pass.names.size(); ++i) {
    Reader::Step step(r, i);
    if (auto passable = HeaderPass::check(pass.names[i]); !passable)
      r.fail(passable.error().message);
  }
  if (pass.names.size() > 64) r.fail(std::to_string(pass.names.size()) + " names are more than 64");
}

/// true, false, "gateways" or a list of networks.
void read_redirects(Reader& r, const Json& v, RedirectRules& rules) {
  if (v.is_string()) {
    std::string text;
    if (!r.string(v, text)) return;
    rules.to_gateways = text == "gateways";
    if (!rules.to_gateways) r.fail("expected true, false, \"gateways\" or a list of networks");
    return;
  }
  if (!v.is_array()) {
    r.boolean(v, rules.are_followed);
    return;
  }
  rules.are_followed = true;
  r.each(v, [&](const Json& item) {
    std::string text;
    if (!r.string(item, text)) return;
    if (const auto network = IpNetwork::parse(text)) {
      rules.networks.push_back(*network);
    } else {
      r.fail(network.error().message);
    }
  });
  if (rules.networks.size() > redirect_networks_max)
    r.fail(std::to_string(rules.networks.size()) + " networks are more than 64");
}

std::vector<Field<SipOptions>> common_fields() {
  using S = SipOptions;
  return {
      {"tls_name", "domain", "the name in `addresses`, else the IP",
       "Whose certificate it must show when it is connected to over TLS (P-01, RFC 5922); sent as "
       "SNI.",
       [](Reader& r, const Json& v, S& s) { read_domain(r, v, s.tls_name); }},
      {"tls_verify", "boolean", "true", "false: on TLS any certificate will do.",
       [](Reader& r, const Json& v, S& s) { r.boolean(v, s.tls_verify); }},
      {"reason", "boolean", "true", "Reason headers are written and read (P-15).",
       [](Reader& r, const Json& v, S& s) { r.boolean(v, s.reason); }},
      {"session_timer", "off|allow|require", "allow",
       "Whether it is watched that the other side is still there (P-18, RFC 4028); require: it "
       "must "
       "speak the extension.",
       [](Reader& r, const Json& v, S& s) {
         r.choice<SessionTimerMode>(v,
                                    {{"off", SessionTimerMode::off},
                                     {"allow", SessionTimerMode::allow},
                                     {"require", SessionTimerMode::require}},
                                    s.session_timer);
       }},
      {"rel100", "boolean or require", "false",
       "Provisional responses are sent and acknowledged reliably where the other side can; "
       "require: it must (P-17, RFC 3262).",
       [](Reader& r, const Json& v, S& s) { read_rel100(r, v, s.rel100); }},
      {"refer", "off|local|relay", "off",
       "What becomes of a REFER in its calls: 403, the switch calls the target at its expense, or "
       "the other side of the call is asked (P-25, T-04). A vendor with local needs a customer "
       "gateway of the same id, whose account pays.",
       [](Reader& r, const Json& v, S& s) { read_refer(r, v, s.refer); }},
      {"transfer_keys", "boolean", "false",
       "DTMF keys, in RTP or SIP INFO, order transfers in its calls, *1 NUMBER #, or *2 NUMBER # "
       "to "
       "ask the target first, cancel them, *0, and end the asking, *# (T-04..T-06); paid as with "
       "refer local.",
       [](Reader& r, const Json& v, S& s) { r.boolean(v, s.transfer_keys); }},
      {"replaces", "off|own|account|any", "off",
       "Whose place in a call its INVITEs with Replaces may take (RFC 3891): nobody's, its own, "
       "that "
       "of gateways and phones of its account too, that of every customer gateway and phone.",
       [](Reader& r, const Json& v, S& s) { read_replaces(r, v, s.replaces); }},
      {"reply_address", "socket|via_port|via", "socket",
       "Where responses to it go over UDP: where its request came from, that host at the port of "
       "its Via, or its Via (P-02).",
       [](Reader& r, const Json& v, S& s) {
         r.choice<ReplyAddress>(v,
                                {{"socket", ReplyAddress::socket},
                                 {"via_port", ReplyAddress::via_port},
                                 {"via", ReplyAddress::via}},
                                s.reply_address);
       },
       "sipResponseAddressMethod"},
      {"request_address", "socket|contact_port|contact", "socket",
       "Where requests inside its calls go when they have no route set: where the call came from "
       "or was sent to, that host at the port of its Contact, or its Contact (P-03).",
       [](Reader& r, const Json& v, S& s) {
         r.choice<RequestAddress>(v,
                                  {{"socket", RequestAddress::socket},
                                   {"contact_port", RequestAddress::contact_port},
                                   {"contact", RequestAddress::contact}},
                                  s.request_address);
       },
       "sipRequestAddressMethod"},
      {"pass_headers", "boolean or list of names", "false",
       "Which further headers of its INVITE (customer) or final responses (vendor) are passed on "
       "(P-14).",
       [](Reader& r, const Json& v, S& s) { read_header_pass(r, v, s.pass_headers); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, S&) { read_memo(r, v); }},
  };
}

std::vector<Field<SipOptions>> with_common(std::vector<Field<SipOptions>> fields) {
  const auto descriptions = description_fields<SipOptions>();
  fields.insert(fields.end(), descriptions.begin(), descriptions.end());
  const auto common = common_fields();
  fields.insert(fields.end(), common.begin(), common.end());
  return fields;
}

const std::vector<Field<ProgressTimers>>& timer_fields() {
  using T = ProgressTimers;
  static const std::vector<Field<T>> fields = {
      {"invite_timeout_s", "", "", "",
       [](Reader& r, const Json& v, T& t) { r.number(v, 0, 3600, t.invite_s); }},
      {"trying_timeout_s", "", "", "",
       [](Reader& r, const Json& v, T& t) { r.number(v, 0, 3600, t.trying_s); }},
      {"progress_timeout_s", "", "", "",
       [](Reader& r, const Json& v, T& t) { r.number(v, 0, 3600, t.progress_s); }},
      {"progress_sdp_timeout_s", "", "", "",
       [](Reader& r, const Json& v, T& t) { r.number(v, 0, 3600, t.progress_sdp_s); }},
      {"ringing_timeout_s", "", "", "",
       [](Reader& r, const Json& v, T& t) { r.number(v, 0, 3600, t.ringing_s); }},
  };
  return fields;
}

}  // namespace

const std::vector<Field<SipOptions>>& customer_sip_fields() {
  using S = SipOptions;
  static const std::vector<Field<S>> fields = with_common({
      {"privacy", "none|pass|id", "none",
       "none: what its Privacy headers ask for is ignored; else it is honoured (P-12).",
       [](Reader& r, const Json& v, S& s) { read_privacy(r, v, s.privacy); }},
      {"recognize_forward", "boolean", "false",
       "Its Diversion and History-Info headers are believed; more than 5 hops are refused with 482 "
       "(P-13).",
       [](Reader& r, const Json& v, S& s) { r.boolean(v, s.recognize_forward); }},
      {"retry_after", "boolean", "true", "Refusals may say when to try again (P-16).",
       [](Reader& r, const Json& v, S& s) { r.boolean(v, s.retry_after); }},
      {"replace_reasons", "array of {\"from\": 503, \"to\": 486}", "[]",
       "Status that a vendor's failure counts as, for failover and the caller; from 0: any other, "
       "to 0: unchanged (P-30).",
       [](Reader& r, const Json& v, S& s) {
         read_replacements(r, v, sip_codes, sip_codes, s.replace_reasons);
       }},
      {"replace_causes", "array of {\"from\": 34, \"to\": 17}", "[]", "The same for Q.850 causes.",
       [](Reader& r, const Json& v, S& s) {
         read_replacements(r, v, q850_codes, q850_codes, s.replace_causes);
       }},
      {"timers", "{\"setup_timeout_s\": 0..3600}", "{}",
       "Longest time without ringing, early media or answer, over all vendors; 0: none (P-19).",
       [](Reader& r, const Json& v, S& s) {
         static const std::vector<Field<S>> keys = {
             {"setup_timeout_s", "", "", "", [](Reader& rr, const Json& vv, S& ss) {
                rr.number(vv, 0, 3600, ss.setup_timeout_s);
              }}};
         read_object(r, v, keys, {}, s);
       }},
  });
  return fields;
}

const std::vector<Field<SipOptions>>& vendor_sip_fields() {
  using S = SipOptions;
  static const std::vector<Field<S>> fields = with_common({
      {"transport", "udp|tcp|tls|auto", "udp",
       "How it is reached (P-01); port 5061 on tls. `auto`: as the NAPTR and SRV records of its "
       "name say (RFC 3263), addresses by udp.",
       [](Reader& r, const Json& v, S& s) {
         if (v.is_string() && v.get_ref<const std::string&>() == "auto") {
           s.finds_transport = true;
           return;
         }
         r.choice<SipTransport>(
             v,
             {{"udp", SipTransport::udp}, {"tcp", SipTransport::tcp}, {"tls", SipTransport::tls}},
             s.transport);
       }},
      {"local_address", "IP:PORT", "the first that fits",
       "Which of `sip.listen` its calls are sent from (P-01).",
       [](Reader& r, const Json& v, S& s) {
         std::string text;
         if (!r.string(v, text)) return;
         if (const auto address = SocketAddress::parse(text)) {
           s.local_address = *address;
         } else {
           r.fail("\"" + text + "\" is no IP:PORT");
         }
       }},
      {"local_domain", "domain", "the address",
       "Host of From and identity headers; Via and Contact keep the address (P-07).",
       [](Reader& r, const Json& v, S& s) { read_domain(r, v, s.local_domain); }},
      {"user_phone", "boolean", "false",
       "`;user=phone` in Request-URI, From, To, identities (P-08).",
       [](Reader& r, const Json& v, S& s) { r.boolean(v, s.user_phone); }},
      {"display", "boolean", "true", "The caller's display name goes along (P-09).",
       [](Reader& r, const Json& v, S& s) { r.boolean(v, s.display); }},
      {"rpid", "boolean", "false", "Remote-Party-ID with the outgoing caller.",
       [](Reader& r, const Json& v, S& s) { r.boolean(v, s.rpid); }},
      {"privacy", "none|pass|id", "none",
       "Privacy header: none, the caller's, or `id`. One that hides the caller makes From "
       "anonymous "
       "when there is a P-Asserted-Identity (P-09).",
       [](Reader& r, const Json& v, S& s) { read_privacy(r, v, s.privacy); }},
      {"pai", "none|pass|caller", "none",
       "P-Asserted-Identity: none, the customer's, or the outgoing caller (RFC 3325).",
       [](Reader& r, const Json& v, S& s) { read_identity(r, v, s.pai); }},
      {"ppi", "none|pass|caller", "none", "P-Preferred-Identity, likewise.",
       [](Reader& r, const Json& v, S& s) { read_identity(r, v, s.ppi); }},
      {"forward_signal", "boolean", "false", "Diversion and History-Info go along (P-13).",
       [](Reader& r, const Json& v, S& s) { r.boolean(v, s.forward_signal); }},
      {"follow_redirects", "boolean or \"gateways\" or array of \"IP\" or \"IP/LENGTH\"", "false",
       "Its 300, 301 and 302 are followed: to its own addresses, and to those that are listed "
       "(P-21); `gateways`: it is a redirect server, whose Contacts name vendor gateways (I-03).",
       [](Reader& r, const Json& v, S& s) { read_redirects(r, v, s.redirects); }},
      {"retry_after", "boolean", "true",
       "Its refusals with Retry-After close the address that long (R-16).",
       [](Reader& r, const Json& v, S& s) { r.boolean(v, s.retry_after); }},
      {"overload_control", "boolean", "false",
       "Its INVITEs ask how much it can bear, and it is sent no more of new calls than it says "
       "(RFC "
       "7339).",
       [](Reader& r, const Json& v, S& s) { r.boolean(v, s.overload_control); }},
      {"invite_headers", "array of \"Name: value\"", "[]",
       "Added to each INVITE; ${caller}, ${callee}, ${callid}, ${account} are filled in (P-14).",
       [](Reader& r, const Json& v, S& s) {
         r.each(v, [&](const Json& item) {
           std::string line;
           if (!r.string(item, line, 512)) return;
           auto header = HeaderTemplate::parse(line);
           if (!header) {
             r.fail(header.error().message);
           } else {
             s.invite_headers.push_back(std::move(*header));
           }
         });
         if (s.invite_headers.size() > invite_headers_max)
           r.fail(std::to_string(s.invite_headers.size()) + " headers are more than 32");
       }},
      {"timers",
       "{\"invite_timeout_s\", \"trying_timeout_s\", \"progress_timeout_s\", "
       "\"progress_sdp_timeout_s\", \"ringing_timeout_s\"}",
       "{}", "Instead of the parameters of that name, 0..3600; 0: the parameter (P-19).",
       [](Reader& r, const Json& v, S& s) { read_object(r, v, timer_fields(), {}, s.timers); }},
  });
  return fields;
}

}  // namespace tandem::config
