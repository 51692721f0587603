import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{cacheFolder,main,referenceOf,runImage}from"./chunk-WMQML5MA.mjs";import"./chunk-X5RB7626.mjs";import"./chunk-LVST6L3G.mjs";import"./chunk-M2YQ7TCH.mjs";import"./chunk-PLGI4CXG.mjs";export{cacheFolder,main,referenceOf,runImage};
