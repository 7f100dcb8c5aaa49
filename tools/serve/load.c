// Sends the requests of a plan to a server and writes down when each token came. Native, so that the load costs little.
//
//   cc -O2 -o load load.c;  load HOST PORT <plan >timings
//
// A line of the plan is a request:   LANE START WAIT BODY
// LANE: requests of a lane follow each other on connections of their own; START: seconds after the program's start before
// which it is not sent; WAIT: 1 if the program ends only after it, 0 if it is broken off when all others are done; BODY: the
// JSON of a streamed completion. For each request comes a line of JSON with times in seconds since the start: when it was
// sent and done (-1: not), its status, the tokens that the server counted, and the time of every event that brought text.
// The last line says how long all took and how many seconds of a core this program used.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum state { WAITING, SENDING, READING_HEAD, READING_BODY, DONE, FAILED };

struct request {
    int lane, awaited;
    double start;
    char *data; // the whole HTTP request
    size_t length, written;
    enum state state;
    int socket, status, chunked;
    long chunk_left; // bytes until the end of the chunk, -1 between chunks
    char *line; // what was read of the current line of the head, of a chunk's size or of the answer
    size_t line_length, line_capacity;
    char *text; // of the answer, since its last line end
    size_t text_length, text_capacity;
    double sent, done, *times;
    long time_count, time_capacity, tokens, prompt_tokens, cached_tokens;
};

static struct timespec origin;

static void *grown(void *memory, size_t bytes) {
    memory = realloc(memory, bytes);
    if (!memory) { perror("load"); exit(1); }
    return memory;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)(time.tv_sec - origin.tv_sec) + 1e-9 * (double)(time.tv_nsec - origin.tv_nsec);
}

static long number_after(const char *text, const char *name, long otherwise) {
    const char *found = strstr(text, name);
    return found ? strtol(found + strlen(name), NULL, 10) : otherwise;
}

// A line of the answer: an event if it starts with "data: {".
static void read_event(struct request *r, double time) {
    if (r->status != 200) {
        fprintf(stderr, "load: status %d: %s\n", r->status, r->text);
        return;
    }
    if (strncmp(r->text, "data: {", 7)) return;
    const char *text = strstr(r->text, "\"text\":\"");
    if (text && text[8] != '"') {
        if (r->time_count == r->time_capacity) {
            r->time_capacity = 2 * r->time_capacity + 256;
            r->times = grown(r->times, (size_t)r->time_capacity * sizeof(double));
        }
        r->times[r->time_count++] = time;
    }
    r->tokens = number_after(r->text, "\"completion_tokens\":", r->tokens);
    r->prompt_tokens = number_after(r->text, "\"prompt_tokens\":", r->prompt_tokens);
    r->cached_tokens = number_after(r->text, "\"cached_tokens\":", r->cached_tokens);
}

static void append(char **text, size_t *length, size_t *capacity, char byte) {
    if (*length + 2 > *capacity) {
        *capacity = 2 * *capacity + 4096;
        *text = grown(*text, *capacity);
    }
    (*text)[(*length)++] = byte;
    (*text)[*length] = 0;
}

static void read_body_byte(struct request *r, char byte, double time) {
    if (byte != '\n') {
        append(&r->text, &r->text_length, &r->text_capacity, byte);
    } else if (r->text_length) {
        read_event(r, time);
        r->text_length = 0;
    }
}

// The line of a chunk's size, and the empty one behind a chunk.
static void read_chunk_line(struct request *r) {
    if (r->line_length <= 1) return;
    r->chunk_left = strtol(r->line, NULL, 16);
    if (r->chunk_left == 0) r->state = DONE;
}

static void read_head_line(struct request *r) {
    if (!strncmp(r->line, "HTTP/1.1 ", 9)) r->status = atoi(r->line + 9);
    if (strcasestr(r->line, "transfer-encoding: chunked")) r->chunked = 1;
    if (r->line_length <= 1) { // the empty line; a carriage return is left
        r->state = READING_BODY;
        r->chunk_left = -1;
    }
}

static void read_byte(struct request *r, char byte, double time) {
    if (r->state == READING_BODY && (!r->chunked || r->chunk_left > 0)) {
        if (r->chunked && --r->chunk_left == 0) r->chunk_left = -1;
        read_body_byte(r, byte, time);
    } else if (byte != '\n') {
        append(&r->line, &r->line_length, &r->line_capacity, byte);
    } else {
        append(&r->line, &r->line_length, &r->line_capacity, 0);
        r->line_length--;
        if (r->state == READING_HEAD) read_head_line(r); else read_chunk_line(r);
        r->line_length = 0;
    }
}

static void receive(struct request *r) {
    static char buffer[1 << 16];
    ssize_t count = recv(r->socket, buffer, sizeof buffer, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    double time = now();
    for (ssize_t i = 0; i < count && r->state != DONE; i++) read_byte(r, buffer[i], time);
    if (count <= 0 && r->state != DONE) {
        if (r->text_length) read_event(r, time);
        r->state = r->state == READING_BODY && !r->chunked && count == 0 ? DONE : FAILED;
    }
    if (r->state == DONE && r->status != 200) r->state = FAILED;
    if (r->state >= DONE) {
        r->done = time;
        close(r->socket);
    }
}

static void transmit(struct request *r) {
    ssize_t count = send(r->socket, r->data + r->written, r->length - r->written, MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN && errno != EINTR) { perror("load: send"); exit(1); }
    if (count > 0) r->written += (size_t)count;
    if (r->written == r->length) r->state = READING_HEAD;
}

static void begin(struct request *r, const struct sockaddr_in *address) {
    r->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(r->socket, (const struct sockaddr *)address, sizeof *address)) { perror("load: connect"); exit(1); }
    fcntl(r->socket, F_SETFL, O_NONBLOCK);
    setsockopt(r->socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    r->sent = now();
    r->state = SENDING;
}

static int read_plan(struct request **plan, const char *host, const char *port) {
    char *line = NULL;
    size_t capacity = 0;
    int count = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, stdin)) > 0) {
        *plan = grown(*plan, (size_t)(count + 1) * sizeof **plan);
        struct request *r = &(*plan)[count++];
        int body = 0;
        *r = (struct request){.sent = -1, .done = -1, .tokens = -1, .prompt_tokens = -1, .cached_tokens = -1};
        line[length - 1] = 0;
        if (sscanf(line, "%d %lf %d %n", &r->lane, &r->start, &r->awaited, &body) != 3 || !line[body]) {
            fprintf(stderr, "load: line %d of the plan: expected LANE START WAIT BODY\n", count);
            exit(1);
        }
        r->length = (size_t)asprintf(&r->data,
            "POST /v1/completions HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: application/json\r\n"
            "Content-Length: %zu\r\nConnection: close\r\n\r\n%s", host, port, strlen(line + body), line + body);
    }
    free(line);
    return count;
}

static void print(const struct request *r) {
    printf("{\"lane\":%d,\"status\":%d,\"sent\":%.6f,\"done\":%.6f,\"tokens\":%ld,\"prompt_tokens\":%ld,\"cached_tokens\":%ld,"
        "\"times\":[", r->lane, r->state == FAILED && r->status == 200 ? 0 : r->status, r->sent, r->done, r->tokens,
        r->prompt_tokens, r->cached_tokens);
    for (long i = 0; i < r->time_count; i++) printf(i ? ",%.6f" : "%.6f", r->times[i]);
    printf("]}\n");
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (argc != 3 || !inet_aton(argv[1], &address.sin_addr)) {
        fprintf(stderr, "usage: load IPV4-ADDRESS PORT <plan\n");
        return 2;
    }
    address.sin_port = htons((unsigned short)atoi(argv[2]));
    struct request *plan = NULL;
    int count = read_plan(&plan, argv[1], argv[2]);
    struct pollfd *sockets = grown(NULL, (size_t)(count + 1) * sizeof *sockets);
    int *indices = grown(NULL, (size_t)(count + 1) * sizeof *indices);
    clock_gettime(CLOCK_MONOTONIC, &origin);
    for (;;) {
        int open = 0, awaited = 0;
        double next = 1;
        for (int i = 0; i < count; i++) {
            struct request *r = &plan[i];
            if (r->state >= DONE) continue;
            awaited += r->awaited;
            if (r->state == WAITING) {
                int follows = 0;
                for (int j = 0; j < i; j++) follows |= plan[j].lane == r->lane && plan[j].state < DONE;
                if (follows) continue;
                double left = r->start - now();
                if (left > 0) {
                    next = left < next ? left : next;
                    continue;
                }
                begin(r, &address);
            }
            sockets[open] = (struct pollfd){.fd = r->socket, .events = r->state == SENDING ? POLLOUT : POLLIN};
            indices[open++] = i;
        }
        if (!awaited) break;
        if (poll(sockets, (nfds_t)open, (int)(1e3 * next) + 1) < 0 && errno != EINTR) { perror("load: poll"); return 1; }
        for (int i = 0; i < open; i++) {
            struct request *r = &plan[indices[i]];
            if (!sockets[i].revents) continue;
            if (r->state == SENDING) transmit(r); else receive(r);
        }
    }
    double seconds = now();
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    for (int i = 0; i < count; i++) print(&plan[i]);
    printf("{\"seconds\":%.6f,\"cpu_seconds\":%.6f}\n", seconds,
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + 1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
    return 0;
}
