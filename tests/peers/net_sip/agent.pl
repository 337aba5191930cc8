#!/usr/bin/env perl
# agent.pl call TARGET OPTION...: a user agent of Net::SIP that calls, says the file `play` and writes what it hears to `heard`.
# agent.pl listen OPTION...: one that takes a call, echoes what it hears, and ends with the call.
#
# Options: listen=ADDRESS:PORT from=URI proxy=ADDRESS:PORT user=NAME password=TEXT (registers at the proxy when it listens)
# play=FILE heard=FILE seconds=N (how long it talks; how long it waits for a call). A line on standard output for what comes
# to pass: ready, answered, refused CODE, bye.
use strict;
use warnings;
use Net::SIP;

$| = 1;
my $act = shift @ARGV;
my $target = $act eq 'call' ? shift @ARGV : undef;
my %option = map { split(/=/, $_, 2) } @ARGV;
my $seconds = $option{seconds} || 2;
my @registered = $option{user} ? (registrar => "sip:$option{proxy}", auth => [$option{user}, $option{password}]) : ();
my $agent = Net::SIP::Simple->new(
  legs => ["sip:$option{listen};transport=udp"],
  from => $option{from},
  ($option{proxy} ? (outgoing_proxy => "sip:$option{proxy}") : ()),
  @registered);

my $is_over;
if ($act eq 'call') {
  my ($is_answered, $code);
  my $call = $agent->invite($target,
    init_media => $agent->rtp('media_send_recv', $option{play}, 1, $option{heard}),
    cb_final => sub { my ($status, undef, %about) = @_; $code = $about{code}; $is_answered = $status eq 'OK'; $is_over = 1; });
  $agent->loop(20, \$is_over);
  if (!$is_answered) {
    print 'refused ', $code || 'by silence', "\n";
    exit 1;
  }
  print "answered\n";
  $agent->loop($seconds);
  my $is_ended;
  $call->bye(cb_final => \$is_ended);
  $agent->loop(5, \$is_ended);
  print "bye\n";
} else {
  if (@registered) {
    my $expires = $agent->register(expires => 60);
    if (!defined $expires) {
      print "refused\n";
      exit 1;
    }
  }
  $agent->listen(
    init_media => $agent->rtp('media_recv_echo', $option{heard}),
    cb_established => sub { print "answered\n" },
    recv_bye => \$is_over);
  print "ready\n";
  $agent->loop($seconds, \$is_over);
  print $is_over ? "bye\n" : "nobody called\n";
  $agent->loop(0.3);  # the answer to the BYE
}
