/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/fetch/exchange.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "config.h"
#include "verifier/fetch/guard.h"
#include "verifier/fetch/url.h"

enum {
    ERROR_BODY_BYTES = 16 * 1024, /* of a response that is no success: for the registry's own words */
    LINK_BYTES = 8192,
    CONTENT_TYPE_BYTES = 255,
    LOW_SPEED_BYTES = 64, /* slower than this for LOW_SPEED_SECONDS is no answer; matters for long deadlines only */
    LOW_SPEED_SECONDS = 20,
};

static bool success(CURL *easy)
{
    long status = 0;

    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
}

static size_t stop(struct exchange *exchange, enum exchange_trouble trouble)
{
    exchange->trouble = trouble;
    return 0; /* not what was handed over: libcurl ends the transfer */
}

/* Room for all that is announced, as far as it would be taken. */
static void make_room(struct exchange *exchange)
{
    curl_off_t announced = -1;

    if (exchange->body.cap > 0 ||
        curl_easy_getinfo(exchange->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced) != CURLE_OK ||
        announced <= 0 || (uint64_t)announced > exchange->max_bytes || (uint64_t)announced > *exchange->budget)
        return;
    buf_make_room(&exchange->body, (size_t)announced);
}

static size_t on_body(char *bytes, size_t one, size_t len, void *context)
{
    struct exchange *exchange = context;

    (void)one;
    if (!success(exchange->easy)) {
        size_t room = ERROR_BODY_BYTES - exchange->body.len;

        buf_append(&exchange->body, bytes, len < room ? len : room);
        return len < room ? len : 0;
    }
    if (len > exchange->max_bytes - exchange->body.len || len > *exchange->budget)
        return stop(exchange, TROUBLE_TOO_LARGE);
    *exchange->budget -= len;
    make_room(exchange);
    buf_append(&exchange->body, bytes, len);
    return buf_ok(&exchange->body) ? len : stop(exchange, TROUBLE_MEMORY);
}

/* Does the header line start with this name (lower case, with the colon)? Then its trimmed value. */
static bool header_is(struct span line, const char *name, struct span *ret_value)
{
    size_t len = strlen(name);

    if (line.len < len)
        return false;
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = line.ptr[i];

        if (byte >= 'A' && byte <= 'Z')
            byte = (uint8_t)(byte + 32);
        if (byte != (uint8_t)name[i])
            return false;
    }
    *ret_value = span_trim(span_cut(line, len, SIZE_MAX));
    return true;
}

static bool is_printable(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~')
            return false;
    return true;
}

static void take_content_type(struct exchange *exchange, struct span value)
{
    value = span_trim(span_cut(value, 0, span_find_byte(value, ';')));
    mem_free(exchange->content_type);
    exchange->content_type = NULL;
    if (value.len == 0 || value.len > CONTENT_TYPE_BYTES || !is_printable(value))
        return;
    exchange->content_type = span_dup(value);
    for (char *c = exchange->content_type; c && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 32);
}

static void take_link(struct exchange *exchange, struct span value)
{
    struct buf joined CLEANUP(buf_free) = BUF_INIT(LINK_BYTES);

    if (!is_printable(value))
        return;
    if (exchange->link) {
        buf_str(&joined, exchange->link);
        buf_str(&joined, ", ");
    }
    buf_span(&joined, value);
    if (!buf_ok(&joined))
        return;
    mem_free(exchange->link);
    exchange->link = buf_take(&joined);
}

static void response_clear(struct exchange *exchange)
{
    mem_free(exchange->content_type);
    mem_free(exchange->link);
    exchange->content_type = exchange->link = NULL;
    buf_clear(&exchange->challenge);
    buf_clear(&exchange->body);
}

static size_t on_header(char *bytes, size_t one, size_t len, void *context)
{
    struct exchange *exchange = context;
    struct span line = span_of(bytes, len), value;

    (void)one;
    exchange->header_bytes += len;
    if (exchange->header_bytes > LIMIT_HTTP_HEADER_BYTES)
        return stop(exchange, TROUBLE_HEADERS);
    if (span_starts(line, "HTTP/")) /* a new response: an interim one, or a proxy's, came before */
        response_clear(exchange);
    else if (header_is(line, "content-type:", &value))
        take_content_type(exchange, value);
    else if (header_is(line, "link:", &value))
        take_link(exchange, value);
    else if (header_is(line, "www-authenticate:", &value)) {
        buf_span(&exchange->challenge, value);
        buf_byte(&exchange->challenge, '\n');
    } else if (header_is(line, "content-encoding:", &value) && value.len > 0 && !span_eq_str(value, "identity") &&
               success(exchange->easy))
        return stop(exchange, TROUBLE_ENCODED);
    return len;
}

static long port_of(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        return ntohs(v4.sin_port);
    }
    memcpy(&v6, address, sizeof(v6));
    return ntohs(v6.sin6_port);
}

/* On this machine only where the user wants it: a registry of his, or the proxy. */
static bool may_be_here(const struct exchange *exchange, const struct sockaddr *address)
{
    return exchange->loopback_allowed || (exchange->proxy_port > 0 && port_of(address) == exchange->proxy_port);
}

/* Every address of every connection passes here. CURL_SOCKET_BAD makes libcurl try the name's next address. */
static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct exchange *exchange = context;
    enum address_kind kind = address_kind(&address->addr, address->addrlen);
    int fd;

    (void)purpose;
    if (kind == ADDRESS_FORBIDDEN || (kind == ADDRESS_LOOPBACK && !may_be_here(exchange, &address->addr))) {
        exchange->trouble = TROUBLE_ADDRESS;
        return CURL_SOCKET_BAD;
    }
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd >= 0)
        exchange->trouble = TROUBLE_NONE;
    return fd;
}

static bool add_header(struct exchange *exchange, const char *text)
{
    struct curl_slist *longer = curl_slist_append(exchange->headers, text);

    if (!longer)
        return false;
    exchange->headers = longer;
    return true;
}

static bool add_named_header(struct exchange *exchange, const char *name, const char *value)
{
    char *line = mem_printf("%s: %s", name, value);
    bool ok = line && add_header(exchange, line);

    if (line)
        mem_wipe_free(line, strlen(line));
    return ok;
}

static bool set_headers(const struct exchange_request *request, struct exchange *exchange)
{
    if (request->accept && !add_named_header(exchange, "Accept", request->accept))
        return false;
    if (request->authorization && !add_named_header(exchange, "Authorization", request->authorization))
        return false;
    for (size_t i = 0; request->own_host && i < request->endpoint->header_count; i++)
        if (!add_header(exchange, request->endpoint->headers[i]))
            return false;
    return true;
}

static bool set_blob(CURL *easy, CURLoption option, const char *pem)
{
    struct curl_blob blob = {.len = pem ? strlen(pem) : 0, .flags = CURL_BLOB_COPY};

    if (!pem)
        return true;
    memcpy(&blob.data, &pem, sizeof(pem));
    return curl_easy_setopt(easy, option, &blob) == CURLE_OK;
}

#define SET(option, value) (curl_easy_setopt(easy, (option), (value)) == CURLE_OK)

/* The options are set one by one without looking back at defaults of the build or of the distribution. */
static bool set_tls(CURL *easy, const struct exchange_request *request)
{
    const struct fetch_endpoint *endpoint = request->endpoint;
    long verify = !(endpoint->flags & FETCH_SKIP_VERIFY);

    return SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) && SET(CURLOPT_SSL_VERIFYPEER, verify) &&
           SET(CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L) && SET(CURLOPT_CAPATH, request->job->ca_dir) &&
           SET(CURLOPT_CAINFO, request->job->ca_dir ? NULL : request->job->ca_file) &&
           set_blob(easy, CURLOPT_CAINFO_BLOB, endpoint->ca_pem) &&
           (!request->own_host || !endpoint->client_cert_pem ||
            (set_blob(easy, CURLOPT_SSLCERT_BLOB, endpoint->client_cert_pem) &&
             set_blob(easy, CURLOPT_SSLKEY_BLOB,
                      endpoint->client_key_pem ? endpoint->client_key_pem : endpoint->client_cert_pem)));
}

/* As the runtimes' proxies (Go's ProxyFromEnvironment): never on the way to this machine itself. */
static const char *proxy_of(const struct exchange_request *request)
{
    struct url_parts parts CLEANUP(url_parts_done) = {0};
    struct error ignored = ERROR_INIT;
    const struct fetch_proxies *proxies = &request->job->proxies;

    if (!url_split(request->url, &parts, &ignored) || fetch_host_is_loopback(parts.host) ||
        address_kind_of_text(parts.host) == ADDRESS_LOOPBACK)
        return NULL;
    return parts.https ? proxies->https : proxies->http;
}

static bool set_network(CURL *easy, const struct exchange_request *request, struct exchange *exchange)
{
    bool tls = strncmp(request->url, "https:", 6) == 0;
    const char *proxy = proxy_of(request);
    long left = deadline_left_ms(request->deadline);
    long connect = request->connect_ms > 0 && request->connect_ms < left ? (long)request->connect_ms : left;

    exchange->proxy_port = proxy ? url_proxy_port(proxy) : 0;
    return SET(CURLOPT_PROTOCOLS_STR, "http,https") && SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_QUICK_EXIT, 1L) &&
           SET(CURLOPT_TIMEOUT_MS, left > 0 ? left : 1L) &&
           SET(CURLOPT_CONNECTTIMEOUT_MS, connect > 0 ? connect : 1L) &&
           SET(CURLOPT_LOW_SPEED_LIMIT, (long)LOW_SPEED_BYTES) &&
           SET(CURLOPT_LOW_SPEED_TIME, (long)LOW_SPEED_SECONDS) &&
           SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->max_bytes) && SET(CURLOPT_FOLLOWLOCATION, 0L) &&
           SET(CURLOPT_PROXY, proxy ? proxy : "") &&
           SET(CURLOPT_NOPROXY, request->job->proxies.no_proxy ? request->job->proxies.no_proxy : "") &&
           SET(CURLOPT_HTTP_VERSION, tls ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1) &&
           SET(CURLOPT_PIPEWAIT, 1L) && SET(CURLOPT_OPENSOCKETFUNCTION, on_socket) &&
           SET(CURLOPT_OPENSOCKETDATA, exchange);
}

static bool set_request(CURL *easy, const struct exchange_request *request, struct exchange *exchange)
{
    const char *agent = request->job->user_agent ? request->job->user_agent : "pullguard/" PG_VERSION;

    return SET(CURLOPT_URL, request->url) && SET(CURLOPT_PRIVATE, exchange) && SET(CURLOPT_USERAGENT, agent) &&
           SET(CURLOPT_ERRORBUFFER, exchange->curl_text) && SET(CURLOPT_WRITEFUNCTION, on_body) &&
           SET(CURLOPT_WRITEDATA, exchange) && SET(CURLOPT_HEADERFUNCTION, on_header) &&
           SET(CURLOPT_HEADERDATA, exchange) && SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) &&
           SET(CURLOPT_HTTPHEADER, exchange->headers) &&
           (!request->form || SET(CURLOPT_COPYPOSTFIELDS, request->form));
}

bool exchange_start(CURLM *multi, const struct exchange_request *request, struct exchange *exchange, struct error *err)
{
    CURL *easy = curl_easy_init();

    if (!easy)
        return error_oom(err);
    exchange->easy = easy;
    exchange->loopback_allowed = request->loopback_allowed;
    exchange->max_bytes = request->max_bytes;
    exchange->budget = request->budget;
    exchange->body =
        (struct buf)BUF_INIT(request->max_bytes > ERROR_BODY_BYTES ? request->max_bytes : ERROR_BODY_BYTES);
    exchange->challenge = (struct buf)BUF_INIT(LIMIT_CHALLENGE_BYTES);
    if (!set_headers(request, exchange) || !set_request(easy, request, exchange) ||
        !set_network(easy, request, exchange) || !set_tls(easy, request) ||
        curl_multi_add_handle(multi, easy) != CURLM_OK)
        return error_set(err, REASON_INTERNAL, "libcurl does not take the request (out of memory?)");
    return true;
}

void exchange_finish(CURLM *multi, struct exchange *exchange, CURLcode result)
{
    CURL *easy = exchange->easy;
    const char *text = NULL;
    curl_off_t retry_after = 0, ready_us = 0;
    long port = 0;

    exchange->result = result;
    exchange->ended = true;
    if (result == CURLE_FILESIZE_EXCEEDED && success(easy))
        exchange->trouble = TROUBLE_TOO_LARGE;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &exchange->status);
    if (curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &text) == CURLE_OK && text)
        exchange->redirect = mem_strdup(text);
    if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK && retry_after > 0)
        exchange->retry_after = retry_after < 3600 ? (long)retry_after : 3600;
    /* not the connect time: that is zero on a connection used before */
    if (curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us) == CURLE_OK)
        exchange->connected = ready_us > 0;
    text = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &text) == CURLE_OK && text)
        exchange->peer_is_loopback = address_kind_of_text(text) == ADDRESS_LOOPBACK &&
                                     curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port) == CURLE_OK &&
                                     port != exchange->proxy_port;
    curl_multi_remove_handle(multi, easy);
    exchange->done(exchange);
}

static void wipe_headers(struct curl_slist *headers)
{
    for (struct curl_slist *item = headers; item; item = item->next)
        explicit_bzero(item->data, strlen(item->data));
    curl_slist_free_all(headers);
}

void exchange_free(CURLM *multi, struct exchange *exchange)
{
    if (exchange->easy) {
        curl_multi_remove_handle(multi, exchange->easy);
        curl_easy_cleanup(exchange->easy);
    }
    wipe_headers(exchange->headers);
    mem_free(exchange->content_type);
    mem_free(exchange->link);
    mem_free(exchange->redirect);
    buf_wipe(&exchange->challenge);
    buf_free(&exchange->body);
    *exchange = (struct exchange){.done = exchange->done, .owner = exchange->owner};
}
