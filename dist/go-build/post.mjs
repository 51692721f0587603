import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{post}from"../chunks/chunk-TXDLWVRV.mjs";import{definition}from"../chunks/chunk-3G33W3Y7.mjs";import"../chunks/chunk-X5RB7626.mjs";import{runPost}from"../chunks/chunk-LVST6L3G.mjs";import"../chunks/chunk-M2YQ7TCH.mjs";import"../chunks/chunk-PLGI4CXG.mjs";await runPost(definition,post);
