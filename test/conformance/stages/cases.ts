import { moreCases } from './more-cases.ts';
import { nonce, type StageCase } from './stage-case.ts';

/** The first ones are put to every edit in the default run too. */
export const cases: readonly StageCase[] = [
  {
    name: 'one stage that hands files over',
    dockerfile: `
FROM @alpine@ AS build
WORKDIR /src
COPY src/main.txt .
COPY src/lib lib
RUN cat main.txt lib/*.txt > /out.txt
RUN ${nonce('/nonce-build')}
FROM scratch AS final
COPY --from=build /out.txt /nonce-build /`,
    swapped: ['COPY src/main.txt .', 'COPY src/lib lib'],
  },
  {
    name: 'two stages for one image',
    dockerfile: `
ARG WORD=first
FROM @alpine@ AS one
ARG WORD
COPY src /src
RUN echo $WORD > /word && ${nonce('/nonce-one')}
FROM @debian@ AS two
COPY conf /conf
RUN cat /conf/* > /both && ${nonce('/nonce-two')}
FROM scratch AS final
COPY --from=one /word /nonce-one /one/
COPY --from=two /both /nonce-two /two/
COPY src/run.sh /bin/`,
    argument: { WORD: 'second' },
    swapped: ['COPY --from=one /word /nonce-one /one/', 'COPY --from=two /both /nonce-two /two/'],
  },
  {
    name: 'a diamond',
    dockerfile: `
FROM @alpine@ AS top
ARG MODE=debug
COPY src /src
RUN echo $MODE > /top && cat /src/lib/* >> /top && ${nonce('/nonce-top')}
FROM @alpine@ AS left
COPY --from=top /top /top
COPY conf/app.conf /
RUN sed s/^/left-/ /top > /left && ${nonce('/nonce-left')}
FROM @debian@ AS right
COPY --from=top /top /top
RUN sed s/^/right-/ /top > /right && ${nonce('/nonce-right')}
FROM scratch AS final
COPY --from=left /left /nonce-left /
COPY --from=right /right /nonce-right /
COPY --from=top /nonce-top /`,
    argument: { MODE: 'release' },
    swapped: ['COPY --from=top /top /top', 'COPY conf/app.conf /'],
  },
  {
    name: 'a stage whose result stays the same although it is run again',
    dockerfile: `
FROM @alpine@ AS strip
COPY src/main.txt /in
RUN grep -v '^//' /in > /out && ${nonce('/nonce-strip')}
FROM @alpine@ AS use
COPY src/lib /lib
COPY --from=strip /out /in
RUN cat /in /lib/* > /used && ${nonce('/nonce-use')}
FROM scratch AS final
COPY --from=use /used /nonce-use /
COPY --from=strip /nonce-strip /`,
    swapped: ['COPY src/lib /lib', 'COPY --from=strip /out /in'],
  },
  {
    name: 'a final stage with RUN, on what other stages made',
    dockerfile: `
FROM @alpine@ AS build
COPY src /src
RUN cat /src/main.txt > /app && chmod 755 /app && ${nonce('/nonce-build')}
FROM @debian@ AS final
ARG USERNAME=app
COPY --from=build /app /nonce-build /opt/
COPY conf /etc/app
RUN echo "$USERNAME:x:1234:" >> /etc/group && chown 1234 /opt/app && ${nonce('/nonce-final')}
USER 1234
ENTRYPOINT ["/opt/app"]`,
    argument: { USERNAME: 'other' },
    swapped: ['COPY --from=build /app /nonce-build /opt/', 'COPY conf /etc/app'],
  },
  {
    name: 'a final stage with RUN and nothing else',
    dockerfile: `
FROM @alpine@ AS final
COPY src/lib /lib
COPY src/main.txt /
RUN cat /lib/* > /all && rm -r /lib /bin/wget && ${nonce('/nonce')}
ENV A=b
CMD ["/bin/sh"]`,
    swapped: ['COPY src/lib /lib', 'COPY src/main.txt /'],
  },
  {
    name: 'a RUN that mounts the context',
    dockerfile: `
FROM @alpine@ AS build
ENV A=1
ENV B=2
RUN --mount=type=bind,target=/src,source=src cat /src/main.txt /src/lib/* > /out && env | grep '^[AB]=' > /env && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /out /env /nonce /`,
    swapped: ['ENV A=1', 'ENV B=2'],
  },
  {
    name: 'a RUN that mounts another stage',
    dockerfile: `
FROM @alpine@ AS tools
ARG VERSION=1
RUN mkdir -p /opt/tool && echo "tool $VERSION" > /opt/tool/v && ${nonce('/opt/nonce-tools')}
FROM @alpine@ AS build
COPY src/main.txt src/lib/ /src/
RUN --mount=from=tools,source=/opt/tool,target=/tool cat /tool/v /src/* > /out && ${nonce('/nonce-build')}
FROM scratch AS final
COPY --from=build /out /nonce-build /
COPY --from=tools /opt/nonce-tools /`,
    argument: { VERSION: '2' },
    swapped: ['COPY --from=build /out /nonce-build /', 'COPY --from=tools /opt/nonce-tools /'],
  },
  {
    name: 'arguments in scope and out of it',
    dockerfile: `
ARG GLOBAL=g
ARG ELSEWHERE=e
FROM @alpine@ AS one
ARG GLOBAL
ARG OWN=o
RUN echo "$GLOBAL $OWN $ELSEWHERE" > /one && ${nonce('/nonce-one')}
FROM @alpine@ AS two
ARG ELSEWHERE
COPY src /src
RUN echo "$ELSEWHERE $GLOBAL $OWN" > /two && ${nonce('/nonce-two')}
FROM scratch AS final
COPY --from=one /one /nonce-one /
COPY --from=two /two /nonce-two /`,
    argument: { ELSEWHERE: 'other' },
    swapped: ['ARG GLOBAL=g', 'ARG ELSEWHERE=e'],
  },
  {
    name: 'a chain of five stages',
    dockerfile: `
FROM @alpine@ AS s1
COPY src/main.txt /in
RUN cat /in > /o && ${nonce('/nonce-1')}
FROM @alpine@ AS s2
COPY --from=s1 /o /in
COPY src/lib /lib
RUN cat /in /lib/* > /o && ${nonce('/nonce-2')}
FROM @alpine@ AS s3
COPY --from=s2 /o /in
RUN wc -l < /in > /o && ${nonce('/nonce-3')}
FROM @alpine@ AS s4
ARG LAST=4
COPY --from=s3 /o /in
RUN echo $LAST | cat /in - > /o && ${nonce('/nonce-4')}
FROM scratch AS final
COPY --from=s4 /o /nonce-4 /
COPY --from=s3 /nonce-3 /
COPY --from=s2 /nonce-2 /
COPY --from=s1 /nonce-1 /`,
    argument: { LAST: '5' },
    swapped: ['COPY --from=s2 /nonce-2 /', 'COPY --from=s1 /nonce-1 /'],
  },
  {
    name: 'stages on a stage without RUN',
    dockerfile: `
FROM @alpine@ AS base
ENV GREETING=hello
WORKDIR /work
COPY conf conf
FROM base AS one
COPY src/main.txt .
RUN cat conf/* main.txt > one && echo $GREETING >> one && ${nonce('nonce-one')}
FROM base AS two
ARG TWO=2
COPY src/lib lib
RUN cat conf/* lib/* > two && echo $TWO >> two && ${nonce('nonce-two')}
FROM scratch AS final
COPY --from=one /work/one /work/nonce-one /
COPY --from=two /work/two /work/nonce-two /`,
    argument: { TWO: '3' },
    swapped: ['ENV GREETING=hello', 'WORKDIR /work'],
  },
  {
    name: 'files of every kind from stage to stage',
    dockerfile: `
FROM @alpine@ AS build
COPY src /src
RUN mkdir -p /o/empty /o/sticky /o/deep/er && chmod 1777 /o/sticky && chmod 700 /o/empty \\
 && cp /src/main.txt /o/file && ln /o/file /o/hard && ln -s file /o/soft && ln -s nowhere /o/dangling \\
 && ln -s /etc /o/absolute && cp /src/run.sh /o/suid && chown 12:34 /o/suid && chmod 4751 /o/suid \\
 && touch "/o/with space" "/o/quo'te" /o/.hidden && chmod 0 /o/.hidden \\
 && dd if=/dev/zero of=/o/deep/er/zeros bs=1k count=3000 2>/dev/null
RUN ${nonce('/o/nonce')}
FROM scratch AS final
COPY --from=build /o /o
COPY --from=build /o/soft /o/hard /o/suid /p/
COPY --from=build /o/absolute/passwd /p/`,
    swapped: ['COPY --from=build /o /o', 'COPY --from=build /o/soft /o/hard /o/suid /p/'],
  },
  ...moreCases,
];
